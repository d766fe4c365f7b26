using System.Net;
using System.Text.Json;
using Commerce.Core.Orders;
using Commerce.Core.Payments;

namespace Commerce.Tests.Integration.Orders;

/// <summary>The delivery of paid orders, and the actions of administrators for customers.</summary>
public sealed class FulfilmentTests(CommerceStack stack) : PaymentStackTests(stack)
{
    [Fact]
    public async Task A_paid_order_is_prepared_shipped_and_delivered_each_step_once_with_its_time_and_actor()
    {
        var purchase = await PaidAsync("delivered");

        await AdvanceAsync(purchase, "PREPARING");
        await AdvanceAsync(purchase, "SHIPPED", "6896724195");
        await AdvanceAsync(purchase, "SHIPPED", "6896724195");
        // The first tracking number was wrong.
        await AdvanceAsync(purchase, "SHIPPED", "6896724196");
        await AdvanceAsync(purchase, "DELIVERED");

        var page = await PageAsync(purchase);
        Assert.Equal(
            ["CREATED", "PAID", "PREPARING", "SHIPPED 6896724195", "SHIPPED 6896724196", "DELIVERED"],
            page.GetProperty("history").EnumerateArray().Select(s => $"{s.GetProperty("state")} {s.GetProperty("trackingNumber")}".Trim()));
        var times = page.GetProperty("history").EnumerateArray().Select(s => s.GetProperty("at").GetDateTime()).ToList();
        Assert.Equal(times.Order(), times);
        Assert.All(page.GetProperty("history").EnumerateArray().Skip(2), s => Assert.Equal("admin", s.GetProperty("actor").GetString()));
        Assert.Equal(
            ("DELIVERED", "6896724196", "PAID", purchase.User.Id),
            (page.GetProperty("order").GetProperty("fulfilment").GetString(), page.GetProperty("order").GetProperty("trackingNumber").GetString(),
                page.GetProperty("payment").GetProperty("status").GetString(), page.GetProperty("userId").GetString()));
        Assert.Equal(1, page.GetProperty("order").GetProperty("items").GetArrayLength());
        Assert.Equal(JsonValueKind.Object, page.GetProperty("order").GetProperty("shipping").ValueKind);
        using var own = await purchase.User.GetAsync($"/api/orders/{purchase.OrderId}");
        Assert.Equal("DELIVERED", (await own.Content.ReadFromJsonAsync<JsonElement>(Cancelled)).GetProperty("fulfilment").GetString());
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_step_that_does_not_follow_is_refused_and_leaves_nothing()
    {
        var purchase = await PaidAsync("skipped");
        var unpaid = await OrderAsync("not-paid");

        using var skipped = await SendAsync(purchase.OrderId, "SHIPPED", "1");
        using var withoutNumber = await SendAsync(purchase.OrderId, "SHIPPED");
        using var senseless = await SendAsync(purchase.OrderId, "LOST");
        using var early = await SendAsync(unpaid.OrderId, "PREPARING");
        using var unknown = await SendAsync(Guid.NewGuid().ToString(), "PREPARING");

        await skipped.ShouldBeProblemAsync(HttpStatusCode.Conflict, "order-not-fulfillable");
        await withoutNumber.ShouldBeProblemAsync(HttpStatusCode.BadRequest, "validation");
        await senseless.ShouldBeProblemAsync(HttpStatusCode.BadRequest, "validation");
        await early.ShouldBeProblemAsync(HttpStatusCode.Conflict, "order-not-fulfillable");
        await unknown.ShouldBeProblemAsync(HttpStatusCode.NotFound, "order-not-found");
        await AdvanceAsync(purchase, "PREPARING");
        Assert.Equal(PaymentState.Refunded, await purchase.RefundedAsync(Price));
        using var refunded = await SendAsync(purchase.OrderId, "SHIPPED", "1");
        await refunded.ShouldBeProblemAsync(HttpStatusCode.Conflict, "order-not-fulfillable");
        Assert.Equal(["AdvanceOrder"], await ActionsAsync($"orders/{purchase.OrderId}"));
        Assert.Empty(await ActionsAsync($"orders/{unpaid.OrderId}"));
    }

    [Fact]
    public async Task A_step_that_depends_on_a_payment_or_refund_in_progress_is_refused_with_the_time_of_the_next_attempt()
    {
        var (paying, refunding) = (await PrepareAsync("paying"), await PaidAsync("refunding"));

        var approval = paying.ApproveAsync(await paying.AuthorizeAsync(new("delay", "apply", DelayMs: 1_500)));
        await ProcessingAsync(paying);
        using (var early = await SendAsync(paying.OrderId, "PREPARING")) await ShouldAskToRepeatAsync(early);
        await approval;
        await using (await Stack.WithGatewayFaultsAsync(new SandboxFault("code", "cancel", 100, Code: "CancelNotComplete")))
        {
            Assert.Equal(PaymentState.Settling, await refunding.RefundAsync(Price));
            using var early = await SendAsync(refunding.OrderId, "PREPARING");
            await ShouldAskToRepeatAsync(early);
        }

        using var prepared = await Eventually.GetAsync(() => SendAsync(paying.OrderId, "PREPARING"), answer => answer.Headers.RetryAfter is null);
        Assert.Equal(HttpStatusCode.OK, prepared.StatusCode);
        using var refused = await Eventually.GetAsync(() => SendAsync(refunding.OrderId, "PREPARING"), answer => answer.Headers.RetryAfter is null);
        await refused.ShouldBeProblemAsync(HttpStatusCode.Conflict, "order-not-fulfillable");
        Assert.Equal(OrderState.Refunded, await OrderStatusAsync(refunding));

        static async Task ShouldAskToRepeatAsync(HttpResponseMessage answer)
        {
            await answer.ShouldBeProblemAsync(HttpStatusCode.Conflict, "order-not-fulfillable");
            Assert.Equal(TimeSpan.FromSeconds(1), answer.Headers.RetryAfter?.Delta);
        }
    }

    [Fact]
    public async Task An_administrator_cancels_and_refunds_for_a_customer_and_the_reason_is_kept()
    {
        var (unpaid, paid) = (await OrderAsync("cancel-for"), await PaidAsync("refund-for"));
        var key = Guid.NewGuid().ToString();

        using var cancelled = await Stack.Admin.PostAsJsonAsync($"/api/admin/orders/{unpaid.OrderId}/cancel", new { reason = "Asked by telephone" }, Cancelled);
        Assert.Equal(HttpStatusCode.OK, cancelled.StatusCode);
        for (var i = 0; i < 2; i++)
        {
            using var refunded = await RefundAsync(paid.OrderId, key);
            Assert.Equal(PaymentState.PartiallyRefunded, (await refunded.Content.ReadFromJsonAsync<RefundedPayment>(Cancelled))!.Status);
        }

        Assert.Equal(OrderState.Cancelled, await OrderStatusAsync(unpaid));
        Assert.Contains((await PageAsync(unpaid)).GetProperty("history").EnumerateArray(), s => s.GetProperty("state").GetString() == "CANCELLED"
            && s.GetProperty("reason").GetString() == "Asked by telephone" && s.GetProperty("actor").GetString() == "admin");
        var page = await PageAsync(paid);
        var refund = page.GetProperty("history").EnumerateArray().Last();
        Assert.Equal(("REFUND_DONE", 1_000, "Damaged"), (refund.GetProperty("state").GetString(), refund.GetProperty("amount").GetInt64(), refund.GetProperty("reason").GetString()));
        Assert.Equal(1_000, page.GetProperty("order").GetProperty("refundedAmount").GetInt64());
        Assert.Equal(["CancelOrderForCustomer"], await ActionsAsync($"orders/{unpaid.OrderId}"));
        // The repetition refunded nothing.
        Assert.Equal(["RefundOrderForCustomer"], await ActionsAsync($"orders/{paid.OrderId}"));
        using var late = await Stack.Admin.PostAsJsonAsync($"/api/admin/orders/{paid.OrderId}/cancel", new { reason = "Too late" }, Cancelled);
        await late.ShouldBeProblemAsync(HttpStatusCode.Conflict, "order-not-cancellable");
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task Every_change_by_an_administrator_is_in_the_trail_and_a_refused_one_is_not()
    {
        var name = $"trail-{Guid.NewGuid():N}";
        var (start, end) = (TimeProvider.System.GetUtcNow().AddDays(1), TimeProvider.System.GetUtcNow().AddDays(2));
        var product = await CreateAsync("products", new { name, price = 1_000, stock = 5, onSale = true, maxPerCustomer = (int?)null });
        var coupon = await CreateAsync("coupons", new { name, discount = 100, totalQuantity = 5, startsAt = start, endsAt = end });
        var sale = await CreateAsync("events", new { name, opensAt = start, closesAt = end, couponIds = new[] { coupon }, productIds = new[] { product } });

        Assert.Equal(HttpStatusCode.OK, await PostAsync($"products/{product}/stock", new { delta = 2, reason = "Delivery" }));
        Assert.Equal(HttpStatusCode.Conflict, await PostAsync($"products/{product}/stock", new { delta = -100, reason = "Lost" }));
        Assert.Equal(HttpStatusCode.OK, await PostAsync($"coupons/{coupon}/stock", new { delta = 2 }));
        Assert.Equal(HttpStatusCode.BadRequest, await PostAsync($"coupons/{coupon}/stock", new { delta = 0 }));
        Assert.Equal(HttpStatusCode.OK, await PostAsync($"events/{sale}/open", null));
        Assert.Equal(HttpStatusCode.OK, await PostAsync($"events/{sale}/cancel", null));
        Assert.Equal(HttpStatusCode.OK, await PostAsync($"coupons/{coupon}/cancel", null));
        Assert.Equal(HttpStatusCode.OK, await PostAsync("reconcile", null));

        Assert.Equal(["AdjustStock Delivery", "CreateProduct"], await ActionsAsync($"products/{product}", withReason: true));
        Assert.Equal(["CancelCoupon", "AddCouponStock", "CreateCoupon"], await ActionsAsync($"coupons/{coupon}"));
        Assert.Equal(["CancelEvent", "OpenEvent", "CreateEvent"], await ActionsAsync($"events/{sale}"));
        Assert.Contains("Reconcile", await ActionsAsync("reconcile"));

        async Task<long> CreateAsync(string kind, object body)
        {
            using var answer = await Stack.Admin.PostAsJsonAsync($"/api/admin/{kind}", body, Cancelled);
            Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
            return (await answer.Content.ReadFromJsonAsync<JsonElement>(Cancelled)).GetProperty("id").GetInt64();
        }

        async Task<HttpStatusCode> PostAsync(string path, object? body)
        {
            using var answer = await Stack.Admin.PostAsJsonAsync($"/api/admin/{path}", body, Cancelled);
            return answer.StatusCode;
        }
    }

    [Fact]
    public async Task A_change_whose_row_in_the_trail_cannot_be_written_does_not_happen()
    {
        var product = await Stack.ProductAsync(stock: 5);
        await Database.ExecuteAsync($"ALTER TABLE admin_action ADD CONSTRAINT no_row CHECK (subject <> 'products/{product.Id}' OR action <> 'AdjustStock')", null, Cancelled);
        try
        {
            using var answer = await Stack.Admin.PostAsJsonAsync($"/api/admin/products/{product.Id}/stock", new { delta = 2, reason = "Delivery" }, Cancelled);
            Assert.Equal(HttpStatusCode.InternalServerError, answer.StatusCode);
        }
        finally
        {
            await Database.ExecuteAsync("ALTER TABLE admin_action DROP CONSTRAINT no_row", null, Cancelled);
        }

        Assert.Equal(5, await Database.SingleAsync<int>("SELECT stock FROM product WHERE id = @Id", new { product.Id }, Cancelled));
        await CheckConsistencyAsync();
    }

    async Task<Purchase> PaidAsync(string name)
    {
        var purchase = await PayAsync(name);
        // The stock of the order is deducted.
        await CheckConsistencyAsync();
        return purchase;
    }

    Task<HttpResponseMessage> SendAsync(string orderId, string state, string? trackingNumber = null) =>
        Stack.Admin.PostAsJsonAsync($"/api/admin/orders/{orderId}/fulfilment", new { state, trackingNumber }, Cancelled);

    async Task AdvanceAsync(Purchase purchase, string state, string? trackingNumber = null)
    {
        using var answer = await SendAsync(purchase.OrderId, state, trackingNumber);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Cancelled));
    }

    async Task<HttpResponseMessage> RefundAsync(string orderId, string key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/api/admin/orders/{orderId}/refund") { Content = JsonContent.Create(new { amount = 1_000, reason = "Damaged" }) };
        request.Headers.Add("Idempotency-Key", key);
        return await Stack.Admin.SendAsync(request, Cancelled);
    }

    Task<JsonElement> PageAsync(Purchase purchase) => Stack.Admin.GetFromJsonAsync<JsonElement>($"/api/admin/orders/{purchase.OrderId}", Cancelled);

    async Task<List<string>> ActionsAsync(string subject, bool withReason = false) =>
        [.. (await Stack.Admin.GetFromJsonAsync<JsonElement>($"/api/admin/actions?actor=admin&subject={subject}", Cancelled)).EnumerateArray()
            .Select(a => withReason ? $"{a.GetProperty("action")} {a.GetProperty("reason")}".Trim() : a.GetProperty("action").GetString()!)];
}
