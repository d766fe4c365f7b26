using System.Diagnostics;
using System.Globalization;
using Commerce.Core.Coupons;
using Commerce.Core.Database;
using Commerce.Core.Inventory;
using Commerce.Tests.Servers.Redis;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Faults.Topology;

/// <summary>An operator changes a Redis Cluster during a sale.</summary>
public sealed class MovedSlotTests
{
    static readonly TimeSpan Deadline = TimeSpan.FromMinutes(5);

    /// <summary>The longest time that a gate may be closed. The machine also runs everything else.</summary>
    static readonly TimeSpan Reopened = TimeSpan.FromSeconds(30);

    static readonly ParallelOptions Crowd = new() { MaxDegreeOfParallelism = 32 };

    static readonly ParallelOptions Buyers = new() { MaxDegreeOfParallelism = 2 };

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact(Timeout = LongTests.Limit)]
    public async Task F47_Slots_move_and_replicas_are_promoted_by_hand_under_load()
    {
        const int Coupons = 6_000, Purchases = 120;
        await using var redis = await RedisCluster.StartAsync(replicas: 1);
        var sale = new Sale();
        await using var stack = new CommerceStack { Arguments = [$"--ConnectionStrings:redis={redis.ConnectionString}", sale.SigningKey] };
        await stack.StartAsync();
        // There are more units than are bought. An order whose response is lost is placed again, and the first one keeps its hold.
        var (coupon, product) = (await stack.CouponAsync(Coupons), await stack.ProductAsync(2 * Purchases, price: 5_000));
        string gate = new CouponKeys(coupon.Id).Gate!, inventory = InventoryKeys.All[0]!;
        var selling = Parallel.ForAsync(0, Coupons + 100, Crowd, async (i, _) => await sale.TakeAsync(stack, $"c-{i}", coupon.Id));
        var buying = Parallel.ForAsync(0, Purchases, Buyers, async (i, _) => sale.Bought(await Sale.BuyAsync(stack, sale.UserOf(stack, $"b-{i}"), product.Id)));
        var steps = 0;

        await StepAsync("the coupon's slot moves", () => MoveAsync(gate));
        await StepAsync("the inventory's slot moves", () => MoveAsync(inventory));
        await StepAsync("the coupon's replica is promoted", () => PromoteAsync(gate, ""));
        await StepAsync("the inventory's replica takes over without its primary", () => PromoteAsync(inventory, " takeover"));

        await selling.WaitAsync(Deadline, Cancelled);
        await buying.WaitAsync(Deadline, Cancelled);
        await sale.ExactAsync(stack, coupon.Id, Coupons);
        Assert.Equal(Purchases, sale.Purchases);
        Assert.Equal(Purchases, await stack.Services.GetRequiredService<MySqlDatabase>().SingleAsync<int>("SELECT stock FROM product WHERE id = @Id", new { product.Id }, Cancelled));

        async Task MoveAsync(string key)
        {
            var from = await redis.PrimaryOfAsync(key);
            await redis.MoveSlotAsync(key, (await redis.PrimariesAsync()).First(port => port != from));
        }

        async Task PromoteAsync(string key, string how) =>
            Assert.Equal("OK", await RedisCluster.AskAsync($"-p {await RedisCluster.ReplicaOfAsync(await redis.PrimaryOfAsync(key))} cluster failover{how}"));

        // Each change happens during the sale, after the previous one is complete.
        async Task StepAsync(string what, Func<Task> step)
        {
            steps++;
            await Eventually.GetAsync(() => Task.FromResult(sale.Issued), issued => issued >= steps * Coupons / 6, Deadline);
            await step();
            var (done, bought) = (Stopwatch.GetTimestamp(), sale.Purchases);
            await Eventually.GetAsync(() => Task.FromResult(sale.LastIssue), last => last > done || sale.Issued >= Coupons, Reopened);
            await Eventually.GetAsync(() => Task.FromResult(sale.Purchases), now => now > bought || now == Purchases, Reopened);
            TestContext.Current.TestOutputHelper!.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{what}: both go on after {Stopwatch.GetElapsedTime(done).TotalSeconds:F1} s; the longest pause of the coupon so far {sale.LongestPause.TotalSeconds:F1} s"));
        }
    }
}
