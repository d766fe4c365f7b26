using System.Net;
using System.Text.Json;
using Commerce.Core.Inventory;
using Commerce.Core.Orders;
using Commerce.Core.Payments;

namespace Commerce.Tests.Integration.Payments;

/// <summary>Refunds of lines: their amounts, the stock, the customer's limit and the coupon.</summary>
public sealed class LineRefundTests(CommerceStack stack) : PaymentStackTests(stack)
{
    [Fact]
    public async Task Units_that_are_refunded_one_after_the_other_get_back_everything_to_the_won_and_return_to_the_stock()
    {
        var products = new[] { await Stack.ProductAsync(stock: 10, price: 3_333), await Stack.ProductAsync(stock: 10, price: 7_777) };
        var purchase = await BuyAsync("won", [new(products[0].Id, 3), new(products[1].Id, 2)], withCoupon: true);
        var total = 3 * 3_333 + 2 * 7_777 - 1_000;

        var amounts = new List<long>();
        foreach (var product in new[] { products[0], products[1], products[0], products[0], products[1] })
            amounts.Add((await RefundedAsync(purchase, [new(product.Id, 1)])).Amount);

        Assert.Equal(total, amounts.Sum());
        Assert.All(amounts, a => Assert.InRange(a, 1, 7_777));
        Assert.Equal(OrderState.Refunded, await OrderStatusAsync(purchase));
        await CheckConsistencyAsync();
        Assert.Equal(0, await purchase.CapturedAsync());
        Assert.Equal((10L, 10L), (await Stack.AvailableAsync(products[0].Id), await Stack.AvailableAsync(products[1].Id)));
    }

    [Fact]
    public async Task The_order_tells_the_state_of_each_line_and_what_can_still_be_refunded()
    {
        var products = new[] { await Stack.ProductAsync(stock: 10, price: 5_000), await Stack.ProductAsync(stock: 10, price: 7_000) };
        var purchase = await BuyAsync("states", [new(products[0].Id, 3), new(products[1].Id, 1)]);

        await RefundedAsync(purchase, [new(products[0].Id, 2), new(products[1].Id, 1)]);

        var order = await OrderAsync(purchase);
        Assert.Equal((17_000, 5_000), (order.GetProperty("refundedAmount").GetInt64(), order.GetProperty("refundable").GetInt64()));
        Assert.Equal(
            [(2, 10_000L, 15_000L, "PARTIALLY_REFUNDED"), (1, 7_000L, 7_000L, "REFUNDED")],
            order.GetProperty("items").EnumerateArray().Select(i => (i.GetProperty("refundedQuantity").GetInt32(), i.GetProperty("refundedAmount").GetInt64(),
                i.GetProperty("amount").GetInt64(), i.GetProperty("state").GetString()!)));
        Assert.Equal((9L, 10L), (await Stack.AvailableAsync(products[0].Id), await Stack.AvailableAsync(products[1].Id)));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task An_administrator_decides_whether_units_return_to_the_stock_and_the_rest_of_the_order_returns_with_its_last_won()
    {
        var product = await Stack.ProductAsync(stock: 10, price: 5_000);
        var purchase = await BuyAsync("broken", [new(product.Id, 4)]);

        await RefundedAsync(purchase, [new(product.Id, 1, Restock: false)], asAdministrator: true);
        Assert.Equal(6L, await Stack.AvailableAsync(product.Id));
        await RefundedAsync(purchase, [new(product.Id, 1, Restock: true)], asAdministrator: true);
        Assert.Equal(7L, await Stack.AvailableAsync(product.Id));
        // The request of the old form refunds everything that is left.
        Assert.Equal(PaymentState.Refunded, await purchase.RefundedAsync(10_000));

        await CheckConsistencyAsync();
        Assert.Equal((9L, 9), (await Stack.AvailableAsync(product.Id), await StockAsync(purchase)));
    }

    [Fact]
    public async Task What_was_shipped_does_not_return_to_the_stock_by_itself()
    {
        var product = await Stack.ProductAsync(stock: 10, price: 5_000);
        var purchase = await BuyAsync("shipped", [new(product.Id, 2)]);
        foreach (var step in new object[] { new { state = "PREPARING" }, new { state = "SHIPPED", trackingNumber = "1" } })
            using (var answer = await Stack.Admin.PostAsJsonAsync($"/api/admin/orders/{purchase.OrderId}/fulfilment", step, Cancelled)) Assert.True(answer.IsSuccessStatusCode);

        await RefundedAsync(purchase, [new(product.Id, 1)]);

        Assert.Equal(8L, await Stack.AvailableAsync(product.Id));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_refunded_unit_does_not_count_for_its_customer_whether_it_returns_or_not()
    {
        var product = await Stack.ProductAsync(stock: 10, price: 5_000, maxPerCustomer: 3);
        var purchase = await BuyAsync("limit", [new(product.Id, 3)]);
        using (var full = await purchase.User.OrderAsync([new(product.Id, 1)])) await full.ShouldBeProblemAsync(HttpStatusCode.Conflict, "customer-limit");

        await RefundedAsync(purchase, [new(product.Id, 1, Restock: false)], asAdministrator: true);
        await RefundedAsync(purchase, [new(product.Id, 1)]);
        await purchase.User.PlaceAsync(product.Id, 2);

        using (var full = await purchase.User.OrderAsync([new(product.Id, 1)])) await full.ShouldBeProblemAsync(HttpStatusCode.Conflict, "customer-limit");
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task The_coupon_comes_back_with_the_last_won_if_an_administrator_says_so()
    {
        var product = await Stack.ProductAsync(stock: 10, price: 5_000);
        var purchase = await BuyAsync("coupon-back", [new(product.Id, 2)], withCoupon: true);
        var coupon = (await OrderAsync(purchase)).GetProperty("couponId").GetInt64();

        using (var early = await SendAsync(purchase, [new(product.Id, 1)], asAdministrator: true, couponBack: true))
            await early.ShouldBeProblemAsync(HttpStatusCode.Conflict, "not-refundable");
        using (var own = await SendAsync(purchase, [new(product.Id, 2)], couponBack: true)) await own.ShouldBeProblemAsync(HttpStatusCode.BadRequest, "validation");
        await RefundedAsync(purchase, [new(product.Id, 1)]);
        using (var used = await purchase.User.OrderAsync([new(product.Id, 1)], coupon)) await used.ShouldBeProblemAsync(HttpStatusCode.Conflict, "coupon-not-usable");
        await RefundedAsync(purchase, [new(product.Id, 1)], asAdministrator: true, couponBack: true);

        Assert.Equal(4_000, (await purchase.User.PlaceAsync(product.Id, couponId: coupon)).TotalAmount);
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task Lines_get_at_most_the_rest_of_the_payment_after_refunds_of_an_amount()
    {
        var product = await Stack.ProductAsync(stock: 10, price: 5_000);
        var purchase = await BuyAsync("capped", [new(product.Id, 2)]);
        Assert.Equal(PaymentState.PartiallyRefunded, await purchase.RefundedAsync(2_000));

        Assert.Equal(5_000, (await RefundedAsync(purchase, [new(product.Id, 1)])).Amount);
        var last = await RefundedAsync(purchase, [new(product.Id, 1)]);

        Assert.Equal((3_000, PaymentState.Refunded), (last.Amount, last.Status));
        Assert.Equal(10L, await Stack.AvailableAsync(product.Id));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task Of_ten_refunds_of_the_same_units_at_once_one_is_made_and_a_repetition_gets_its_result()
    {
        var product = await Stack.ProductAsync(stock: 10, price: 5_000);
        var purchase = await BuyAsync("at-once", [new(product.Id, 3)]);
        var key = Guid.NewGuid().ToString();

        await Task.WhenAll(Enumerable.Range(0, 10).Select(async _ =>
        {
            using var answer = await SendAsync(purchase, [new(product.Id, 2)]);
            Assert.Contains(await answer.SlugAsync(), new[] { "", "not-refundable", "payment-in-progress" });
        }));
        var first = await RefundedAsync(purchase, [new(product.Id, 1)], key: key);
        var again = await RefundedAsync(purchase, [new(product.Id, 1)], key: key);

        Assert.Equal(first, again);
        Assert.Equal(2, await Database.SingleAsync<int>("SELECT COUNT(*) FROM refund r JOIN payment p ON p.id = r.payment_id WHERE p.order_id = @OrderId AND r.status = 'DONE'", new { purchase.OrderId }, Cancelled));
        Assert.Equal(OrderState.Refunded, await OrderStatusAsync(purchase));
        await CheckConsistencyAsync();
        Assert.Equal(10L, await Stack.AvailableAsync(product.Id));
    }

    [Fact]
    public async Task A_request_that_makes_no_sense_is_refused()
    {
        var (product, other) = (await Stack.ProductAsync(stock: 10, price: 5_000), await Stack.ProductAsync(stock: 10));
        var purchase = await BuyAsync("senseless", [new(product.Id, 2)]);

        using var tooMany = await SendAsync(purchase, [new(product.Id, 3)]);
        using var foreign = await SendAsync(purchase, [new(other.Id, 1)]);
        using var none = await SendAsync(purchase, []);
        using var twice = await SendAsync(purchase, [new(product.Id, 1), new(product.Id, 1)]);
        using var restock = await SendAsync(purchase, [new(product.Id, 1, Restock: true)]);
        using var both = await purchase.User.PostAsync($"/api/payments/{purchase.OrderId}/refund", new { amount = 1, lines = new[] { new RefundLine(product.Id, 1) }, reason = "both" });

        await tooMany.ShouldBeProblemAsync(HttpStatusCode.Conflict, "not-refundable");
        await foreign.ShouldBeProblemAsync(HttpStatusCode.Conflict, "not-refundable");
        foreach (var invalid in new[] { none, twice, restock, both }) await invalid.ShouldBeProblemAsync(HttpStatusCode.BadRequest, "validation");
        await CheckConsistencyAsync();
    }

    async Task<Purchase> BuyAsync(string name, OrderLine[] lines, bool withCoupon = false)
    {
        var user = (await Stack.UsersAsync(name, 1))[0];
        long? coupon = null;
        if (withCoupon)
        {
            coupon = (await Stack.CouponAsync(total: 1)).Id;
            Assert.Equal("", await user.TakeAsync(coupon.Value));
        }

        var product = (await Stack.Admin.GetFromJsonAsync<Product>($"/api/admin/products/{lines[0].ProductId}", Cancelled))!;
        var purchase = new Purchase(Stack.Sandbox, user, product, await user.PlaceAsync(lines, coupon));
        using (await purchase.PrepareAsync()) { }
        await PayAsync(purchase, await purchase.AuthorizeAsync());
        // The stock of the order is deducted.
        await CheckConsistencyAsync();
        return purchase;
    }

    async Task<HttpResponseMessage> SendAsync(Purchase purchase, RefundLine[] lines, bool asAdministrator = false, bool couponBack = false, string? key = null)
    {
        var body = new { lines, couponBack, reason = "by line" };
        if (!asAdministrator) return await purchase.User.PostAsync($"/api/payments/{purchase.OrderId}/refund", body, key);
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/api/admin/orders/{purchase.OrderId}/refund") { Content = JsonContent.Create(body) };
        request.Headers.Add("Idempotency-Key", key ?? Guid.NewGuid().ToString());
        return await Stack.Admin.SendAsync(request, Cancelled);
    }

    async Task<RefundedPayment> RefundedAsync(Purchase purchase, RefundLine[] lines, bool asAdministrator = false, bool couponBack = false, string? key = null)
    {
        using var answer = await SendAsync(purchase, lines, asAdministrator, couponBack, key);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Cancelled));
        return (await answer.Content.ReadFromJsonAsync<RefundedPayment>(Cancelled))!;
    }

    static async Task<JsonElement> OrderAsync(Purchase purchase)
    {
        using var answer = await purchase.User.GetAsync($"/api/orders/{purchase.OrderId}");
        return await answer.Content.ReadFromJsonAsync<JsonElement>(Cancelled);
    }
}
