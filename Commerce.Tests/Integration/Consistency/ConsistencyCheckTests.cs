using Commerce.Core.Consistency;
using Commerce.Core.Coupons;
using Commerce.Core.Payments;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Integration.Consistency;

/// <summary>The consistency check detects violations. A check that never finds anything proves nothing.</summary>
public sealed class ConsistencyCheckTests(CommerceStack stack) : PaymentStackTests(stack)
{
    [Theory]
    [InlineData("UPDATE orders SET status = 'PENDING_PAYMENT' WHERE id = @OrderId", "UPDATE orders SET status = 'PAID' WHERE id = @OrderId")]
    [InlineData("UPDATE orders SET status = 'REFUNDED' WHERE id = @OrderId", "UPDATE orders SET status = 'PAID' WHERE id = @OrderId")]
    [InlineData("UPDATE payment SET status = 'PENDING' WHERE order_id = @OrderId", "UPDATE payment SET status = 'PAID' WHERE order_id = @OrderId")]
    [InlineData("UPDATE payment SET order_id = UUID() WHERE order_id = @OrderId", "UPDATE payment SET order_id = @OrderId WHERE pg_payment_id = @pgPaymentId")]
    public async Task An_order_and_its_payment_that_disagree_are_found(string damage, string repair)
    {
        var purchase = await PayAsync("disagree");
        await CheckConsistencyAsync();
        var pgPaymentId = (await Stack.Sandbox.LedgerAsync(purchase.OrderId))[0].PaymentId;

        Assert.True(await BrokenAsync("I7", damage, repair, new { purchase.OrderId, pgPaymentId }) > 0);
        await CheckConsistencyAsync();
    }

    [Theory]
    [InlineData("UPDATE coupon_issue SET used_at = UTC_TIMESTAMP(6) WHERE order_id = @OrderId", "UPDATE coupon_issue SET used_at = NULL WHERE order_id = @OrderId")]
    [InlineData("UPDATE coupon_issue SET order_id = NULL WHERE order_id = @OrderId", "UPDATE coupon_issue SET order_id = @OrderId WHERE coupon_id = @couponId")]
    [InlineData("UPDATE coupon_issue SET order_id = UUID() WHERE order_id = @OrderId", "UPDATE coupon_issue SET order_id = @OrderId WHERE coupon_id = @couponId")]
    [InlineData("UPDATE orders SET status = 'CANCELLED' WHERE id = @OrderId", "UPDATE orders SET status = 'CREATED' WHERE id = @OrderId")]
    [InlineData("UPDATE orders SET coupon_id = NULL WHERE id = @OrderId", "UPDATE orders SET coupon_id = @couponId WHERE id = @OrderId")]
    public async Task A_coupon_and_its_order_that_disagree_are_found(string damage, string repair)
    {
        var coupon = await Stack.CouponAsync(total: 1);
        var user = (await Stack.UsersAsync("coupon-disagrees", 1))[0];
        Assert.Equal("", await user.TakeAsync(coupon.Id));
        await Eventually.EqualAsync(1, () => Database.SingleAsync<int>("SELECT COUNT(*) FROM coupon_issue WHERE coupon_id = @Id", coupon, Cancelled));
        var order = await user.PlaceAsync((await Stack.ProductAsync(stock: 10, price: 5_000)).Id, couponId: coupon.Id);
        await CheckConsistencyAsync();

        Assert.True(await BrokenAsync("I10", damage, repair, new { order.OrderId, couponId = coupon.Id }) > 0);
        await CheckConsistencyAsync();
    }

    [Theory]
    // The cases are a limit that was not kept, a line that is not counted or counted wrongly, and an order that the gate does not know.
    [InlineData("UPDATE counted_item SET max_per_customer = 1 WHERE order_id = @OrderId", "UPDATE counted_item SET max_per_customer = 2 WHERE order_id = @OrderId")]
    [InlineData("UPDATE counted_item SET quantity = 1 WHERE order_id = @OrderId", "UPDATE counted_item SET quantity = 2 WHERE order_id = @OrderId")]
    [InlineData("UPDATE counted_item SET user_id = UUID() WHERE order_id = @OrderId", "UPDATE counted_item SET user_id = @Id WHERE order_id = @OrderId")]
    [InlineData("UPDATE orders SET status = 'REFUNDED' WHERE id = @OrderId", "UPDATE orders SET status = 'CREATED' WHERE id = @OrderId")]
    public async Task A_customer_who_has_more_than_a_limit_allowed_is_found(string damage, string repair)
    {
        var user = (await Stack.UsersAsync("above-limit", 1))[0];
        var order = await user.PlaceAsync((await Stack.ProductAsync(stock: 10, maxPerCustomer: 2)).Id, 2);
        await CheckConsistencyAsync();

        Assert.True(await BrokenAsync("I11", damage, repair, new { order.OrderId, user.Id }) > 0);
        await CheckConsistencyAsync();
    }

    [Theory]
    // The cases are more units refunded than ordered, refunds without a line, a wrong amount, and units that were not returned or
    // returned without a cause.
    [InlineData("UPDATE order_item SET refunded = 3 WHERE order_id = @OrderId", "UPDATE order_item SET refunded = 1 WHERE order_id = @OrderId")]
    [InlineData("UPDATE order_item SET restocked = 0 WHERE order_id = @OrderId", "UPDATE order_item SET restocked = 1 WHERE order_id = @OrderId")]
    [InlineData("UPDATE refund_line SET amount = amount + 1 WHERE refund_id = @RefundId", "UPDATE refund_line SET amount = amount - 1 WHERE refund_id = @RefundId")]
    [InlineData("UPDATE order_item SET quantity = 1 WHERE order_id = @OrderId", "UPDATE order_item SET quantity = 2 WHERE order_id = @OrderId")]
    [InlineData("UPDATE refund_line SET restock = FALSE WHERE refund_id = @RefundId", "UPDATE refund_line SET restock = TRUE WHERE refund_id = @RefundId")]
    [InlineData("UPDATE refund_line SET product_id = -product_id WHERE refund_id = @RefundId", "UPDATE refund_line SET product_id = -product_id WHERE refund_id = @RefundId")]
    public async Task A_refund_by_line_that_does_not_add_up_is_found(string damage, string repair)
    {
        var product = await Stack.ProductAsync(stock: 10, Price);
        var user = (await Stack.UsersAsync("adds-up", 1))[0];
        var purchase = new Purchase(Stack.Sandbox, user, product, await user.PlaceAsync(product.Id, 2));
        using (await purchase.PrepareAsync()) { }
        await PayAsync(purchase, await purchase.AuthorizeAsync());
        await CheckConsistencyAsync();
        using var answer = await user.PostAsync($"/api/payments/{purchase.OrderId}/refund", new { reason = "one", lines = new[] { new { productId = product.Id, quantity = 1 } } });
        var refund = (await answer.Content.ReadFromJsonAsync<RefundedPayment>(Cancelled))!;
        Assert.Equal((PaymentState.PartiallyRefunded, Price), (refund.Status, refund.Amount));
        await CheckConsistencyAsync();

        Assert.True(await BrokenAsync("I12", damage, repair, new { purchase.OrderId, refund.RefundId }) > 0);
        await CheckConsistencyAsync();
    }

    [Theory]
    // The cases are a wrong total or discount, and a discount, minimum, validity or line that does not follow from the terms.
    [InlineData("UPDATE orders SET total_amount = total_amount + 1 WHERE id = @OrderId", "UPDATE orders SET total_amount = total_amount - 1 WHERE id = @OrderId")]
    [InlineData("UPDATE orders SET discount = 1, total_amount = total_amount + 999 WHERE id = @OrderId", "UPDATE orders SET discount = 1000, total_amount = total_amount - 999 WHERE id = @OrderId")]
    [InlineData("UPDATE orders SET coupon_id = NULL WHERE id = @OrderId", "UPDATE orders SET coupon_id = @couponId WHERE id = @OrderId")]
    [InlineData("UPDATE coupon SET min_order_amount = 5001 WHERE id = @couponId", "UPDATE coupon SET min_order_amount = 5000 WHERE id = @couponId")]
    [InlineData("UPDATE coupon SET percent = 10 WHERE id = @couponId", "UPDATE coupon SET percent = 20 WHERE id = @couponId")]
    [InlineData("UPDATE coupon SET valid_from = '2999-01-01' WHERE id = @couponId", "UPDATE coupon SET valid_from = NULL WHERE id = @couponId")]
    [InlineData("UPDATE coupon SET valid_until = '2026-01-02' WHERE id = @couponId", "UPDATE coupon SET valid_until = NULL WHERE id = @couponId")]
    [InlineData("UPDATE coupon SET product_ids = '[1]' WHERE id = @couponId", "UPDATE coupon SET product_ids = NULL WHERE id = @couponId")]
    [InlineData("UPDATE order_item SET discounted = FALSE WHERE order_id = @OrderId", "UPDATE order_item SET discounted = TRUE WHERE order_id = @OrderId")]
    public async Task A_discount_that_the_terms_of_the_coupon_do_not_give_is_found(string damage, string repair)
    {
        var (user, coupon) = await HaveCouponAsync("other-discount", d => d with { Percent = 20, Discount = 9_000, MinOrderAmount = 5_000 });
        var order = await user.PlaceAsync((await Stack.ProductAsync(stock: 10, price: 5_000)).Id, couponId: coupon.Id);
        Assert.Equal(4_000, order.TotalAmount);
        await CheckConsistencyAsync();

        Assert.True(await BrokenAsync("I15", damage, repair, new { order.OrderId, couponId = coupon.Id }) > 0);
        await CheckConsistencyAsync();
    }

    [Theory]
    [InlineData("UPDATE orders SET coupon_id = NULL WHERE id = @OrderId", "UPDATE orders SET coupon_id = @couponId WHERE id = @OrderId")]
    [InlineData("UPDATE orders SET status = 'CREATED' WHERE id = @OrderId", "UPDATE orders SET status = 'PAID' WHERE id = @OrderId")]
    [InlineData("UPDATE orders SET total_amount = 50 WHERE id = @OrderId", "UPDATE orders SET total_amount = 0 WHERE id = @OrderId")]
    [InlineData("UPDATE payment SET pg_payment_id = 'x' WHERE order_id = @OrderId", "UPDATE payment SET pg_payment_id = NULL WHERE order_id = @OrderId")]
    [InlineData("UPDATE payment SET amount = 1 WHERE order_id = @OrderId", "UPDATE payment SET amount = 0 WHERE order_id = @OrderId")]
    public async Task An_order_of_0_won_that_its_coupon_does_not_pay_is_found(string damage, string repair)
    {
        var (user, coupon) = await HaveCouponAsync("other-payment", d => d with { Discount = 5_000 });
        var order = await user.PlaceAsync((await Stack.ProductAsync(stock: 10, price: 5_000)).Id, couponId: coupon.Id);
        Assert.Equal(0, order.TotalAmount);
        await CheckConsistencyAsync();

        Assert.True(await BrokenAsync("I16", damage, repair, new { order.OrderId, couponId = coupon.Id }) > 0);
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task An_order_that_costs_less_than_the_gateway_takes_is_found()
    {
        var order = await OrderAsync("too-little");

        Assert.Equal(1, await BrokenAsync("I16", "UPDATE orders SET total_amount = 99 WHERE id = @OrderId", $"UPDATE orders SET total_amount = {Price} WHERE id = @OrderId", new { order.OrderId }));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_waiting_room_that_admits_too_many_at_once_or_somebody_twice_is_found()
    {
        var sale = await Stack.EventAsync(opensIn: 3600, waitingRoomRate: 3);
        // The maximum is one second's worth at once, and a fourth admission a third of a second later.
        foreach (var (user, after) in new[] { ("a", 0L), ("b", 0), ("c", 0), ("d", 333_334), ("a", 700_000_000) }) await AdmitAsync(user, after);
        await CheckConsistencyAsync();

        await AdmitAsync("e", 500_000);
        Assert.Equal(1, await BrokenAsync("I14", "UPDATE event SET name = 'I14' WHERE id = @Id", "DELETE FROM waiting_room_admission WHERE event_id = @Id AND user_id = 'e'", sale));
        await AdmitAsync("d", 500_000_000);
        Assert.Equal(1, await BrokenAsync("I14", "UPDATE event SET name = 'twice' WHERE id = @Id", "DELETE FROM waiting_room_admission WHERE event_id = @Id", sale));
        await CheckConsistencyAsync();

        Task AdmitAsync(string user, long after) => Database.ExecuteAsync("""
            INSERT INTO waiting_room_admission (event_id, user_id, expires_at, admitted_at, epoch)
            VALUES (@Id, @user, '2026-01-01' + INTERVAL @after + 600000000 MICROSECOND, '2026-01-01' + INTERVAL @after MICROSECOND, 1)
            """, new { sale.Id, user, after }, Cancelled);
    }

    [Fact]
    public async Task What_the_gateways_ledger_is_too_young_to_know_is_not_comparable_and_not_broken()
    {
        var purchase = await PayAsync("older");
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        var others = (await Stack.Sandbox.SummaryAsync()).Where(o => o.MerchantPayKey != purchase.OrderId)
            .Select(o => new GatewayOrder(o.MerchantPayKey, o.NetCaptures, o.Captured, o.Cancelled)).ToList();

        // This sandbox has lost its ledger or a part of it.
        Assert.Equal((0, 1), await CompareAsync(now.AddMinutes(1), others));
        Assert.True((await CompareAsync(now.AddMinutes(1), [])) is (0, >= 1));
        // This sandbox has a complete ledger without the payment.
        Assert.Equal((1, 0), await CompareAsync(now.AddDays(-1), others));
        Assert.Equal((1, 0), await CompareAsync(null, others));
        // This gateway has no ledger.
        var (differences, notComparable) = await new PaymentConsistencyCheck(Database, new Told(null)).CompareAsync(Cancelled);
        Assert.Equal(0, differences);
        Assert.True(notComparable >= 1);

        Task<(long, long)> CompareAsync(DateTime? since, IReadOnlyList<GatewayOrder> orders) =>
            new PaymentConsistencyCheck(Database, new Told(new(since, orders))).CompareAsync(Cancelled);
    }

    /// <summary>Creates a user with a coupon.</summary>
    async Task<(Shopper User, Coupon Coupon)> HaveCouponAsync(string name, Func<CouponDefinition, CouponDefinition> change)
    {
        var coupon = await Stack.CouponAsync(total: 1, change: change);
        var user = (await Stack.UsersAsync(name, 1))[0];
        Assert.Equal("", await user.TakeAsync(coupon.Id));
        await Eventually.EqualAsync(1, () => Database.SingleAsync<int>("SELECT COUNT(*) FROM coupon_issue WHERE coupon_id = @Id", coupon, Cancelled));
        return (user, coupon);
    }

    /// <summary>Returns the number of violations of an invariant after the database was damaged.</summary>
    async Task<long> BrokenAsync(string invariant, string damage, string repair, object parameters)
    {
        Assert.Equal(1, await Database.ExecuteAsync(damage, parameters, Cancelled));
        try
        {
            var report = await Eventually.DoneAsync(() => Stack.Services.GetRequiredService<ConsistencyCheck>().RunAsync(Cancelled));
            return report.Findings.Where(f => f.Invariant == invariant).Sum(f => f.Broken);
        }
        finally
        {
            await Database.ExecuteAsync(repair, parameters, CancellationToken.None);
        }
    }

    sealed class Told(GatewaySummary? summary) : IGatewayLedger
    {
        public Task<GatewaySummary?> SummarizeAsync(CancellationToken cancellationToken) => Task.FromResult(summary);
    }
}
