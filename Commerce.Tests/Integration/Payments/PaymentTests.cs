using System.Net;
using System.Text.Json;
using Commerce.Core.Orders;
using Commerce.Core.Payments;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Integration.Payments;

/// <summary>An order is paid in two steps and can be refunded.</summary>
public sealed class PaymentTests(CommerceStack stack) : PaymentStackTests(stack)
{
    [Fact]
    public async Task Prepared_and_approved_an_order_is_paid_and_off_the_stock()
    {
        var purchase = await OrderAsync("pay");

        using var prepared = await purchase.PrepareAsync();
        Assert.Equal(HttpStatusCode.OK, prepared.StatusCode);
        var payment = await prepared.Content.ReadFromJsonAsync<JsonElement>(Cancelled);
        Assert.Equal("PENDING", payment.GetProperty("status").GetString());
        Assert.Equal(Price, payment.GetProperty("amount").GetInt64());
        Assert.Contains($"merchantPayKey={purchase.OrderId}", payment.GetProperty("payUrl").GetString(), StringComparison.Ordinal);
        Assert.Equal(OrderState.PendingPayment, await OrderStatusAsync(purchase));

        await PayAsync(purchase, await purchase.AuthorizeAsync());

        await ShouldBePaidAsync(purchase);
        var detail = await purchase.DetailAsync();
        Assert.Equal(payment.GetProperty("paymentId").GetString(), detail.GetProperty("paymentId").GetString());
        Assert.Equal("SUCCEEDED", detail.GetProperty("attempts")[0].GetProperty("status").GetString());
    }

    [Fact]
    public async Task Preparing_again_gives_the_same_payment_and_extends_the_hold_once()
    {
        var purchase = await OrderAsync("prepare-again");
        await HoldEndsAsync(purchase, 60_000);
        using var first = await purchase.PrepareAsync();
        Assert.True(await HoldAsync() > TimeSpan.FromMinutes(9));
        await HoldEndsAsync(purchase, 60_000);

        using var second = await purchase.PrepareAsync();

        Assert.Equal(await first.Content.ReadAsStringAsync(Cancelled), await second.Content.ReadAsStringAsync(Cancelled));
        Assert.True(await HoldAsync() < TimeSpan.FromMinutes(2));

        async Task<TimeSpan> HoldAsync() => TimeSpan.FromSeconds(await Database.SingleAsync<long>(
            "SELECT TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(6), hold_expires_at) FROM orders WHERE id = @OrderId", new { purchase.OrderId }, Cancelled));
    }

    [Fact]
    public async Task Only_the_owner_pays_and_only_what_the_order_costs()
    {
        var purchase = await OrderAsync("owner-pays");
        var stranger = purchase with { User = (await Stack.UsersAsync("stranger-pays", 1))[0] };

        using var wrong = await purchase.PrepareAsync(amount: Price - 1);
        using var strange = await stranger.PrepareAsync();

        await wrong.ShouldBeProblemAsync(HttpStatusCode.UnprocessableEntity, "amount-mismatch");
        await strange.ShouldBeProblemAsync(HttpStatusCode.NotFound, "order-not-found");
        using var prepared = await purchase.PrepareAsync();
        using var approved = await stranger.SendApproveAsync(await purchase.AuthorizeAsync());
        await approved.ShouldBeProblemAsync(HttpStatusCode.NotFound, "order-not-found");
        using var seen = await stranger.User.GetAsync($"/api/payments/{purchase.OrderId}");
        await seen.ShouldBeProblemAsync(HttpStatusCode.NotFound, "payment-not-found");
    }

    [Fact]
    public async Task What_was_not_prepared_or_was_cancelled_is_not_paid()
    {
        var purchase = await OrderAsync("unprepared");
        Assert.Equal("order-not-payable", await purchase.ApproveAsync(await purchase.AuthorizeAsync()));
        using var cancelled = await purchase.User.PostAsync($"/api/orders/{purchase.OrderId}/cancel", null);

        using var prepared = await purchase.PrepareAsync();

        await prepared.ShouldBeProblemAsync(HttpStatusCode.Conflict, "order-not-payable");
        Assert.Equal("order-not-payable", await purchase.ApproveAsync(await purchase.AuthorizeAsync()));
        Assert.Equal(0, await purchase.CapturedAsync());
    }

    [Theory]
    [InlineData("NotEnoughAccountBalance")]
    [InlineData("TimeExpired")]
    [InlineData("MaintenanceOngoing")]
    public async Task F20_A_refusal_is_told_with_its_reason_and_the_order_can_be_paid_again(string code)
    {
        var purchase = await PrepareAsync("refused");

        using var answer = await purchase.AnsweredAsync(await purchase.AuthorizeAsync(new("code", "apply", Code: code)));

        await answer.ShouldBeProblemAsync(HttpStatusCode.PaymentRequired, "payment-refused");
        Assert.Contains(code, await answer.Content.ReadAsStringAsync(Cancelled), StringComparison.Ordinal);
        await ShouldBePayableAsync(purchase);
        // If the gateway timed out, there is also an earlier abandoned attempt.
        Assert.EndsWith("REFUSED SUCCEEDED", await AttemptsAsync(purchase), StringComparison.Ordinal);
    }

    [Fact]
    public async Task F39_The_same_approval_gets_the_same_answer_also_where_it_is_a_refusal()
    {
        var purchase = await PrepareAsync("replay-approve");
        var refused = await purchase.AuthorizeAsync(new("code", "apply", Code: "Fail"));
        var good = await purchase.AuthorizeAsync();
        using var first = await purchase.AnsweredAsync(refused, "first");
        using var again = await purchase.SendApproveAsync(refused, "first");
        using var other = await purchase.SendApproveAsync(good, "first");
        using var paid = await purchase.AnsweredAsync(good, "second");
        using var paidAgain = await purchase.SendApproveAsync(good, "second");

        await again.ShouldBeProblemAsync(HttpStatusCode.PaymentRequired, "payment-refused");
        Assert.Equal(["true"], again.Headers.GetValues("Idempotent-Replayed"));
        await other.ShouldBeProblemAsync(HttpStatusCode.UnprocessableEntity, "idempotency-key-reused");
        Assert.Equal(await paid.Content.ReadAsStringAsync(Cancelled), await paidAgain.Content.ReadAsStringAsync(Cancelled));
        Assert.Equal(["true"], paidAgain.Headers.GetValues("Idempotent-Replayed"));
        Assert.Equal(PaymentState.Paid, await purchase.ApproveAsync(good));
        Assert.Equal("order-not-payable", await purchase.ApproveAsync(await purchase.AuthorizeAsync()));
        Assert.EndsWith("REFUSED SUCCEEDED", await AttemptsAsync(purchase), StringComparison.Ordinal);
        await ShouldBePaidAsync(purchase);
    }

    [Fact]
    public async Task An_approval_that_comes_again_after_a_part_went_back_gets_the_answer_of_the_first()
    {
        var purchase = await PrepareAsync("approve-again");
        var authorised = await purchase.AuthorizeAsync();
        await PayAsync(purchase, authorised);
        Assert.Equal("PARTIALLY_REFUNDED", await purchase.RefundedAsync(1_000));

        Assert.Equal(PaymentState.Paid, await purchase.ApproveAsync(authorised));

        Assert.Equal("order-not-payable", await purchase.ApproveAsync(await purchase.AuthorizeAsync()));
        Assert.Equal(Price - 1_000, await purchase.CapturedAsync());
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task What_was_paid_for_one_order_pays_for_no_other()
    {
        var paid = await PayAsync("mine");
        var used = (await Stack.Sandbox.LedgerAsync(paid.OrderId))[0].PaymentId;
        var other = await PrepareAsync("other");

        Assert.Equal("payment-mismatch", await other.ApproveAsync(used));

        Assert.Equal(1, (await Stack.Sandbox.LedgerAsync(paid.OrderId))[0].ApplyCalls);
        await ShouldBePayableAsync(other);
        await ShouldBePaidAsync(paid);
    }

    [Fact]
    public async Task What_was_authorised_for_another_order_is_captured_for_none()
    {
        var other = await PrepareAsync("authorised-for");
        var purchase = await PrepareAsync("used-by");

        Assert.Equal("payment-mismatch", await purchase.ApprovedAsync(await other.AuthorizeAsync()));

        Assert.Equal(0, await other.CapturedAsync());
        Assert.Equal("CANCELLED", await AttemptsAsync(purchase));
        await ShouldBePayableAsync(purchase);
        await ShouldBePayableAsync(other);
    }

    [Fact]
    public async Task Money_goes_back_in_parts_and_the_stock_with_the_last_of_it()
    {
        var purchase = await PayAsync("refund");
        await ShouldBePaidAsync(purchase);
        Assert.Equal("not-refundable", await purchase.RefundAsync(Price + 1));

        Assert.Equal("PARTIALLY_REFUNDED", await purchase.RefundedAsync(2_000, "part"));
        Assert.Equal("PARTIALLY_REFUNDED", await purchase.RefundedAsync(2_000, "part"));

        Assert.Equal(Price - 2_000, await purchase.CapturedAsync());
        Assert.Equal(9, await StockAsync(purchase));
        await CheckConsistencyAsync();
        Assert.Equal("not-refundable", await purchase.RefundAsync(Price));
        Assert.Equal("REFUNDED", await purchase.RefundedAsync(Price - 2_000));
        Assert.Equal("not-refundable", await purchase.RefundAsync(1));
        Assert.Equal(0, await purchase.CapturedAsync());
        Assert.Equal(OrderState.Refunded, await OrderStatusAsync(purchase));
        Assert.Equal(10, await StockAsync(purchase));
        await Eventually.EqualAsync(10L, () => Stack.AvailableAsync(purchase.Product.Id));
        var detail = await purchase.DetailAsync();
        Assert.Equal(2, detail.GetProperty("refunds").GetArrayLength());
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task Orders_show_what_was_given_back_and_what_still_can_be()
    {
        var purchase = await OrderAsync("refundable");
        Assert.Equal((0, 0), await ShownAsync());
        using (await purchase.PrepareAsync()) { }
        await PayAsync(purchase, await purchase.AuthorizeAsync());
        Assert.Equal((0, Price), await ShownAsync());

        Assert.Equal("PARTIALLY_REFUNDED", await purchase.RefundedAsync(2_000));
        Assert.Equal((2_000, Price - 2_000), await ShownAsync());
        await Stack.Sandbox.GiveBackAsync(purchase.OrderId, 3_000);
        await Eventually.EqualAsync((5_000, Price - 5_000), ShownAsync);
        // A running refund cannot be requested again.
        await using (await Stack.WithGatewayFaultsAsync(new SandboxFault("code", "cancel", Code: "CancelNotComplete")))
        {
            Assert.Equal(PaymentState.Settling, await purchase.RefundAsync(1_000));
            Assert.Equal((5_000, Price - 6_000), await ShownAsync());
        }

        await Eventually.EqualAsync((6_000, Price - 6_000), ShownAsync);
        Assert.Equal("REFUNDED", await purchase.RefundedAsync(Price - 6_000));
        Assert.Equal((Price, 0), await ShownAsync());
        await CheckConsistencyAsync();

        async Task<(long Refunded, long Refundable)> ShownAsync()
        {
            var orders = new List<JsonElement>();
            foreach (var path in new[] { "/api/orders", $"/api/orders/{purchase.OrderId}" })
            {
                using var answer = await purchase.User.GetAsync(path);
                var shown = await answer.Content.ReadFromJsonAsync<JsonElement>(Cancelled);
                orders.Add(shown.TryGetProperty("nextCursor", out _) ? shown.GetProperty("items")[0] : shown);
            }

            orders.Add((await Stack.Admin.GetFromJsonAsync<JsonElement>($"/api/admin/orders?userId={purchase.User.Id}", Cancelled))[0]);
            // The values may change between two responses.
            return orders.ConvertAll(o => (o.GetProperty("refundedAmount").GetInt64(), o.GetProperty("refundable").GetInt64())).Distinct().ToArray() is [var alike] ? alike : (-1, -1);
        }
    }

    [Fact]
    public async Task While_it_is_not_known_whether_an_order_was_paid_a_refund_and_a_cancel_are_told_to_come_again()
    {
        var purchase = await PrepareAsync("refund-settling");
        await using (await Stack.WithGatewayFaultsAsync(new SandboxFault("status5xx", "history")))
        {
            Assert.Equal(PaymentState.Settling, await purchase.ApproveAsync(await purchase.AuthorizeAsync(new("approveThenDrop", "apply"))));
            using var refund = await purchase.User.PostAsync($"/api/payments/{purchase.OrderId}/refund", new { amount = Price, reason = "too slow" }, "early");
            using var cancel = await purchase.User.PostAsync($"/api/orders/{purchase.OrderId}/cancel", null);

            await refund.ShouldBeProblemAsync(HttpStatusCode.Conflict, "payment-in-progress");
            await cancel.ShouldBeProblemAsync(HttpStatusCode.Conflict, "order-not-cancellable");
            Assert.All([refund, cancel], answer => Assert.NotNull(answer.Headers.RetryAfter));
        }

        await ShouldBePaidAsync(purchase);
        Assert.Equal("REFUNDED", await purchase.RefundedAsync(Price, "early"));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_refund_before_the_pieces_left_the_stock_takes_nothing()
    {
        var purchase = await PayAsync("refund-at-once");

        Assert.Equal("REFUNDED", await purchase.RefundedAsync(Price));

        await CheckConsistencyAsync();
        Assert.Equal(10, await StockAsync(purchase));
        await Eventually.EqualAsync(10L, () => Stack.AvailableAsync(purchase.Product.Id));
    }

    [Fact]
    public async Task Administrators_refund_search_and_reconcile()
    {
        var purchase = await PayAsync("searched");
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/api/payments/{purchase.OrderId}/refund")
        {
            Content = JsonContent.Create(new { amount = 1_000, reason = "goodwill" }), Headers = { { "Idempotency-Key", Guid.NewGuid().ToString() } },
        };
        using var refunded = await Stack.Admin.SendAsync(request, Cancelled);
        Assert.True(refunded.IsSuccessStatusCode, await refunded.Content.ReadAsStringAsync(Cancelled));

        var found = await Stack.Admin.GetFromJsonAsync<List<Payment>>($"/api/admin/payments?userId={purchase.User.Id}&status=PARTIALLY_REFUNDED&limit=1", Cancelled);
        using var reconciled = await Stack.Admin.PostAsync("/api/admin/reconcile", null, Cancelled);
        using var forbidden = await purchase.User.GetAsync("/api/admin/payments");

        Assert.Equal(purchase.OrderId, Assert.Single(found!).OrderId);
        Assert.Equal(["inventory", "orders", "payments"], (await reconciled.Content.ReadFromJsonAsync<JsonElement>(Cancelled))
            .EnumerateArray().Select(r => r.GetProperty("name").GetString()).Order());
        Assert.Equal(HttpStatusCode.Forbidden, forbidden.StatusCode);
    }

    [Fact]
    public async Task The_audit_sees_a_capture_that_the_database_does_not_know()
    {
        var purchase = await PrepareAsync("unknown-capture");
        var check = Stack.Services.GetRequiredService<PaymentConsistencyCheck>();
        var gateway = Stack.Services.GetRequiredService<PaymentGateway>();
        await CheckConsistencyAsync();
        var authorised = await purchase.AuthorizeAsync();

        await gateway.ApproveAsync(authorised, Guid.NewGuid().ToString(), Cancelled);

        Assert.Equal(1, (await check.CompareAsync(Cancelled)).Differences);
        await gateway.CancelAsync(authorised, Price, 0, "test", Guid.NewGuid().ToString(), Cancelled);
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task What_is_malformed_is_told_by_field()
    {
        var purchase = await PrepareAsync("malformed");

        using var approved = await purchase.User.PostAsync("/api/payments/approve", new { purchase.OrderId, pgPaymentId = "with space" });
        using var refunded = await purchase.User.PostAsync($"/api/payments/{purchase.OrderId}/refund", new { amount = -1, reason = "" });

        await approved.ShouldBeProblemAsync(HttpStatusCode.BadRequest, "validation");
        await refunded.ShouldBeProblemAsync(HttpStatusCode.BadRequest, "validation");
    }
}
