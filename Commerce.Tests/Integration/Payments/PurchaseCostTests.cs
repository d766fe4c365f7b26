using Commerce.Core.Messaging;

namespace Commerce.Tests.Integration.Payments;

/// <summary>The cost of a purchase with the default settings.</summary>
public sealed class PurchaseCostTests(CommerceStack stack) : PurchaseCost(stack)
{
    [Fact]
    public async Task A_purchase_costs_no_more_statements_and_commits_than_it_did()
    {
        await CheckCostAsync();

        // The option is off by default.
        Assert.Equal(0, await Database.SingleAsync<int>("SELECT COUNT(*) FROM outbox WHERE topic = @OrderChanged", new { Topics.OrderChanged }, Cancelled));
    }
}
