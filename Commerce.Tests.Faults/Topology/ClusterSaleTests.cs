using System.Diagnostics;
using System.Globalization;
using Commerce.Core.Consistency;
using Commerce.Core.Coupons;
using Commerce.Core.Database;
using Commerce.Core.Inventory;
using Commerce.Core.Messaging;
using Commerce.Tests.Servers.Messaging;
using Commerce.Tests.Servers.Redis;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Faults.Topology;

/// <summary>
/// The whole product runs on the servers of a large shop: three Kafka brokers, a Redis Cluster with replicas, and a MySQL primary with a
/// replica. There are two Apis and two Workers.
/// </summary>
public sealed class ClusterSaleTests
{
    const int Products = 20;

    /// <summary>
    /// Each product has more units than are bought. If the response to an order is lost, the order is placed again, and the first one holds
    /// its units until the hold expires.
    /// </summary>
    const int Spare = 20;

    static readonly TimeSpan Deadline = TimeSpan.FromMinutes(10);

    static readonly ParallelOptions Crowd = new() { MaxDegreeOfParallelism = 64 };

    static readonly ParallelOptions Buyers = new() { MaxDegreeOfParallelism = 8 };

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public Task F45_F46_F48_While_every_server_fails_over_in_turn_no_promise_is_broken() => SellAsync(issues: 5_000, purchases: 100);

    [Fact(Timeout = LongTests.Limit)]
    public Task F45_F46_F48_The_same_in_a_rush() => SellAsync(LongTests.Issues, LongTests.Purchases);

    static async Task SellAsync(int issues, int purchases)
    {
        Assert.SkipUnless(KafkaCluster.IsInstalled, KafkaCluster.WhyNot);
        await using var kafka = await KafkaCluster.StartAsync(nodes: 3);
        await using var redis = await RedisCluster.StartAsync(replicas: 1);
        await using var mysql = await MySqlPair.StartAsync();
        var sale = new Sale();
        await using var stack = new CommerceStack
        {
            Arguments =
            [
                $"--ConnectionStrings:commerce={mysql.ConnectionString}", $"--ConnectionStrings:redis={redis.ConnectionString}", $"--ConnectionStrings:kafka={kafka.BootstrapServers}",
                sale.SigningKey, "--Api:Replicas=2", "--Workers:Replicas=2",
            ],
            // The stack detects the durability from the brokers, as in production.
            Settings = new Dictionary<string, string> { ["Coupons__Durability"] = "" },
        };
        await stack.StartAsync();
        var coupon = await stack.CouponAsync(issues);
        var products = new List<Product>();
        for (var i = 0; i < Products; i++) products.Add(await stack.ProductAsync((purchases / Products) + Spare, price: 5_000));

        var selling = Parallel.ForAsync(0, issues + 200, Crowd, async (i, _) => await sale.TakeAsync(stack, $"c-{i}", coupon.Id));
        var buying = Parallel.ForAsync(0, purchases, Buyers, async (i, _) => sale.Bought(await Sale.BuyAsync(stack, sale.UserOf(stack, $"b-{i}"), products[i % Products].Id)));
        var failures = 0;

        await FailAsync("the Redis primary with the coupon", async () => await redis.KillAsync(await redis.PrimaryOfAsync(new CouponKeys(coupon.Id).Gate!)));
        var leader = kafka.LeaderOf(Topics.CouponIssued);
        await FailAsync("the Kafka leader of a partition", () => kafka.KillAsync(leader));
        await FailAsync("one of the Workers", () => stack.KillAsync("workers"));
        await FailAsync("the MySQL primary", mysql.FailOverAsync);
        await kafka.StartNodeAsync(leader);
        await selling.WaitAsync(Deadline, Cancelled);
        await buying.WaitAsync(Deadline, Cancelled);

        TestContext.Current.TestOutputHelper!.WriteLine(sale.Summary);
        Assert.Equal(issues, sale.Verdicts.Values.Count(v => v == ""));
        Assert.All(sale.Verdicts.Values.Where(v => v != ""), v => Assert.Equal("coupon-sold-out", v));
        Assert.Equal(purchases, sale.Purchases);
        await Eventually.GetAsync(() => stack.Services.GetRequiredService<ConsistencyCheck>().RunAsync(Cancelled), report => report.Holds, TimeSpan.FromMinutes(3));
        var database = stack.Services.GetRequiredService<MySqlDatabase>();
        var rows = (await database.QueryAsync<string>("SELECT user_id FROM coupon_issue WHERE coupon_id = @Id", new { coupon.Id }, Cancelled)).ToHashSet();
        Assert.Equal(sale.Verdicts.Where(v => v.Value == "").Select(v => v.Key).ToHashSet(), rows);
        Assert.Equal(purchases, await database.SingleAsync<int>("SELECT COUNT(*) FROM orders WHERE status = 'PAID' AND user_id LIKE 'b-%'", null, Cancelled));
        Assert.Equal(0, await database.SingleAsync<int>("SELECT COUNT(*) FROM dead_letter", null, Cancelled));
        Assert.Equal(Products * Spare, await database.SingleAsync<int>("SELECT SUM(stock) FROM product WHERE id IN @ids", new { ids = products.Select(p => p.Id) }, Cancelled));

        // Each failure happens during the sale. The next one follows when the sale has resumed.
        async Task FailAsync(string what, Func<Task> fail)
        {
            await Eventually.GetAsync(() => Task.FromResult(sale.Issued), issued => issued >= (failures + 1) * issues / 8, Deadline);
            var (before, start) = (sale.Purchases, Stopwatch.GetTimestamp());
            await fail();
            var failed = Stopwatch.GetTimestamp();
            await Eventually.GetAsync(() => Task.FromResult(sale.LastIssue), last => last > failed || sale.Issued >= issues, Deadline);
            await Eventually.GetAsync(() => Task.FromResult(sale.Purchases), bought => bought > before || bought == purchases, Deadline);
            failures++;
            TestContext.Current.TestOutputHelper!.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{what}: failed after {Stopwatch.GetElapsedTime(start, failed).TotalSeconds:F1} s, a coupon again {Stopwatch.GetElapsedTime(failed, sale.LastIssue).TotalSeconds:F1} s later; the longest pause so far {sale.LongestPause.TotalSeconds:F1} s"));
        }
    }
}
