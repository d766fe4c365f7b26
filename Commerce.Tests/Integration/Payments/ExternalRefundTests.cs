using Commerce.Core.Consistency;
using Commerce.Core.Orders;
using Commerce.Core.Payments;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Integration.Payments;

/// <summary>Refunds made at the gateway itself, in its console or by a charge-back. Only the gateway's history shows them.</summary>
public sealed class ExternalRefundTests(CommerceStack stack) : PaymentStackTests(stack)
{
    [Theory]
    [InlineData(3_000, 2_000)]
    // An entry with the amount of our own refund is not confused with it.
    [InlineData(1_000, 1_000)]
    public async Task After_a_refund_at_the_gateway_the_next_one_goes_on_with_the_rest(long atGateway, long ours)
    {
        var purchase = await PayAsync($"external-{atGateway}");
        await ShouldBePaidAsync(purchase);
        await Stack.Sandbox.GiveBackAsync(purchase.OrderId, atGateway);

        Assert.Equal("PARTIALLY_REFUNDED", await purchase.RefundedAsync(ours));

        Assert.Equal(Price - atGateway - ours, await purchase.CapturedAsync());
        Assert.Equal([("EXTERNAL", atGateway), ("DONE", ours)], await RefundsAsync(purchase));
        Assert.Equal(atGateway + ours, (await purchase.DetailAsync()).GetProperty("refundedAmount").GetInt64());
        await CheckConsistencyAsync();
        Assert.Equal("REFUNDED", await purchase.RefundedAsync(Price - atGateway - ours));
        Assert.Equal(OrderState.Refunded, await OrderStatusAsync(purchase));
        Assert.Equal(10, await StockAsync(purchase));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task Refunds_at_the_gateway_between_ours_are_each_on_record()
    {
        var purchase = await PayAsync("external-between");
        await ShouldBePaidAsync(purchase);

        Assert.Equal("PARTIALLY_REFUNDED", await purchase.RefundedAsync(1_000));
        await Stack.Sandbox.GiveBackAsync(purchase.OrderId, 500);
        await Stack.Sandbox.GiveBackAsync(purchase.OrderId, 1_000);
        Assert.Equal("PARTIALLY_REFUNDED", await purchase.RefundedAsync(1_000));
        await Stack.Sandbox.GiveBackAsync(purchase.OrderId, 700);
        Assert.Equal("not-refundable", await purchase.RefundedAsync(Price - 3_500));

        Assert.Equal(Price - 4_200, await purchase.CapturedAsync());
        Assert.Equal(4_200, (await RefundsAsync(purchase)).Where(r => r.Status != "REFUSED").Sum(r => r.Amount));
        Assert.Equal("REFUNDED", await purchase.RefundedAsync(Price - 4_200));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_charge_back_is_found_without_anybody_asking_and_shown_in_the_audit()
    {
        var purchase = await PayAsync("charge-back");
        await ShouldBePaidAsync(purchase);
        var before = await ShownAsync();

        await Stack.Sandbox.GiveBackAsync(purchase.OrderId, 4_000);

        await Eventually.EqualAsync(PaymentState.PartiallyRefunded, () => PaymentStatusAsync(purchase));
        await CheckConsistencyAsync();
        Assert.NotEqual(before, await ShownAsync());
        var refund = (await purchase.DetailAsync()).GetProperty("refunds")[0];
        Assert.Equal(("EXTERNAL", 4_000, "Refunded at the gateway"),
            (refund.GetProperty("status").GetString(), refund.GetProperty("amount").GetInt64(), refund.GetProperty("reason").GetString()));
        Assert.Equal(9, await StockAsync(purchase));

        async Task<string> ShownAsync() => (await Stack.Admin.GetFromJsonAsync<ConsistencyReport>("/api/admin/audit", Cancelled))!
            .Findings.Single(f => f.Promise.StartsWith("given back at the gateway", StringComparison.Ordinal)).Promise;
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_was_cancelled_whole_at_the_gateway_is_refunded_and_its_pieces_return(bool asked)
    {
        var purchase = await PayAsync($"external-whole-{asked}");
        await ShouldBePaidAsync(purchase);
        await Stack.Sandbox.GiveBackAsync(purchase.OrderId, Price);

        if (asked) Assert.Equal("not-refundable", await purchase.RefundedAsync(Price));
        await Eventually.EqualAsync(OrderState.Refunded, () => OrderStatusAsync(purchase));

        Assert.Equal(PaymentState.Refunded, await PaymentStatusAsync(purchase));
        Assert.Equal(10, await StockAsync(purchase));
        Assert.Contains(("EXTERNAL", Price), await RefundsAsync(purchase));
        Assert.Equal("not-refundable", await purchase.RefundAsync(1));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_refund_whose_answer_was_lost_is_not_taken_for_somebody_elses_and_not_made_twice()
    {
        var purchase = await PayAsync("external-lost");
        await ShouldBePaidAsync(purchase);
        await using (await Stack.WithGatewayFaultsAsync(new SandboxFault("approveThenDrop", "cancel", Count: 1)))
        {
            Assert.Equal(PaymentState.Settling, await purchase.RefundAsync(1_000));
            await Stack.Sandbox.GiveBackAsync(purchase.OrderId, 2_000);
            await Eventually.EqualAsync(2, async () => (await RefundsAsync(purchase)).Count(r => r.Status is "DONE" or "EXTERNAL"));
        }

        Assert.Equal([("DONE", 1_000), ("EXTERNAL", 2_000)], (await RefundsAsync(purchase)).Order());
        Assert.Equal(Price - 3_000, await purchase.CapturedAsync());
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_refund_for_want_of_stock_gives_back_what_the_gateway_has_left()
    {
        var purchase = await PrepareAsync("external-shortfall");
        await Database.ExecuteAsync("UPDATE product SET stock = 0 WHERE id = @Id", new { purchase.Product.Id }, Cancelled);
        await Database.ExecuteAsync("INSERT INTO product_stock_audit (product_id, event_id, delta, reason) VALUES (@Id, @test, -10, 'test')",
            new { purchase.Product.Id, test = $"test:{purchase.OrderId}" }, Cancelled);
        await using (await Stack.WithGatewayFaultsAsync(new SandboxFault("code", "cancel", Code: "MaintenanceOngoing")))
        {
            await PayAsync(purchase, await purchase.AuthorizeAsync());
            await Stack.Sandbox.GiveBackAsync(purchase.OrderId, 4_000);
            await Eventually.GetAsync(() => RefundsAsync(purchase), refunds => refunds.Any(r => r.Status == "REQUESTED"));
        }

        await Eventually.EqualAsync(OrderState.Refunded, () => OrderStatusAsync(purchase));
        Assert.Equal(0, await purchase.CapturedAsync());
        Assert.Equal(Price, (await RefundsAsync(purchase)).Where(r => r.Status != "REFUSED").Sum(r => r.Amount));
        await CheckConsistencyAsync();
    }

    static async Task<IReadOnlyList<(string Status, long Amount)>> RefundsAsync(Purchase purchase) =>
        [.. (await purchase.DetailAsync()).GetProperty("refunds").EnumerateArray()
            .Select(r => (r.GetProperty("status").GetString()!, r.GetProperty("amount").GetInt64()))];
}
