using Commerce.Core.Consistency;
using Commerce.Tests.Servers.Messaging;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Faults.Topology;

/// <summary>What <c>./commerce up --topology cluster</c> starts.</summary>
public sealed class ClusterTopologyTests
{
    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task One_argument_starts_clusters_that_lose_a_node_each_and_sell_on()
    {
        Assert.SkipUnless(KafkaCluster.IsInstalled, KafkaCluster.WhyNot);
        await using var stack = new CommerceStack
        {
            Arguments = ["--topology=cluster"],
            // The stack detects the durability from the brokers, as in production.
            Settings = new Dictionary<string, string> { ["Coupons__Durability"] = "" },
        };
        await stack.StartAsync();
        await SellAsync("before");

        await stack.KillAsync("redis-1");
        await stack.KillAsync("kafka-1");

        await SellAsync("after");
        await Eventually.GetAsync(() => stack.Services.GetRequiredService<ConsistencyCheck>().RunAsync(Cancelled), report => report.Holds, TimeSpan.FromMinutes(3));

        async Task SellAsync(string prefix)
        {
            var coupon = await stack.CouponAsync(100);
            var verdicts = await (await stack.UsersAsync(prefix, 150)).SellAsync(coupon.Id);
            Assert.Equal(100, verdicts.Values.Count(v => v == ""));
            Assert.Equal(50, verdicts.Values.Count(v => v == "coupon-sold-out"));
        }
    }
}
