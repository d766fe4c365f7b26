using Commerce.Core.Consistency;
using Commerce.Core.Database;
using Commerce.Core.Messaging;
using Confluent.Kafka;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Faults.Topology;

/// <summary>An operator, or other members, change the consumer groups.</summary>
public sealed class ConsumerGroupTests
{
    static readonly Dictionary<string, string> Groups = new() { [Topics.CouponIssued] = "coupon-ledger", [Topics.OrderPlaced] = "order-stock", [Topics.EventOpen] = "event-stream" };

    static readonly TimeSpan Deadline = TimeSpan.FromMinutes(3);

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task F49_Groups_that_are_reset_to_the_start_or_past_everything_or_deleted_lose_and_double_nothing()
    {
        var sale = new Sale();
        await using var stack = new CommerceStack { Arguments = [sale.SigningKey] };
        await stack.StartAsync();
        Assert.SkipWhen(await stack.HasMockBrokerAsync(), FaultInjection.NeedsRealBroker);
        var (coupon, product) = (await stack.CouponAsync(100), await stack.ProductAsync(stock: 100, price: 5_000));
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = stack.Kafka }).SetLogHandler((_, _) => { }).Build();
        await SellAsync("first");
        await ArrivedAsync(coupons: 20, orders: 3);

        // The offsets move to the start, so every message is delivered again.
        await stack.StopAsync("workers");
        foreach (var (topic, group) in Groups) await MoveAsync(topic, group, Offset.Beginning);
        await SellAsync("second");
        await stack.StartAsync("workers");
        await ArrivedAsync(coupons: 40, orders: 6);

        // The offsets move to the end, so acceptances that nobody has read are skipped.
        await stack.StopAsync("workers");
        await SellAsync("third");
        foreach (var (topic, group) in Groups) await MoveAsync(topic, group, Offset.End);
        await stack.StartAsync("workers");
        await ArrivedAsync(coupons: 60, orders: 9);

        await stack.StopAsync("workers");
        await SellAsync("fourth");
        await Eventually.DoneAsync(async () =>
        {
            await admin.DeleteGroupsAsync([.. Groups.Values]);
            return true;
        });
        await stack.StartAsync("workers");
        await ArrivedAsync(coupons: 80, orders: 12);

        async Task SellAsync(string prefix)
        {
            await Parallel.ForAsync(0, 20, Cancelled, async (i, _) => await sale.TakeAsync(stack, $"{prefix}-{i}", coupon.Id));
            for (var i = 0; i < 3; i++) await Sale.BuyAsync(stack, sale.UserOf(stack, $"{prefix}-b-{i}"), product.Id);
        }

        async Task ArrivedAsync(int coupons, int orders)
        {
            var database = stack.Services.GetRequiredService<MySqlDatabase>();
            await Eventually.EqualAsync(coupons, () => database.SingleAsync<int>("SELECT COUNT(*) FROM coupon_issue", null, Cancelled), Deadline);
            await Eventually.EqualAsync(100 - orders, () => database.SingleAsync<int>("SELECT stock FROM product WHERE id = @Id", new { product.Id }, Cancelled), Deadline);
            await Eventually.GetAsync(() => stack.Services.GetRequiredService<ConsistencyCheck>().RunAsync(Cancelled), report => report.Holds, Deadline);
            Assert.Equal(0, await database.SingleAsync<int>("SELECT COUNT(*) FROM dead_letter", null, Cancelled));
        }

        // The brokers refuse the change while the group has members.
        Task MoveAsync(string topic, string group, Offset to) => Eventually.DoneAsync(async () =>
        {
            using var reader = new ConsumerBuilder<Null, Null>(new ConsumerConfig { BootstrapServers = stack.Kafka, GroupId = "reader" }).SetLogHandler((_, _) => { }).Build();
            var partitions = admin.GetMetadata(topic, TimeSpan.FromSeconds(10)).Topics.Single().Partitions.Select(p => new TopicPartition(topic, p.PartitionId));
            var offsets = partitions.Select(p => (Partition: p, Ends: reader.QueryWatermarkOffsets(p, TimeSpan.FromSeconds(10))))
                .Select(p => new TopicPartitionOffset(p.Partition, to == Offset.Beginning ? p.Ends.Low : p.Ends.High)).ToList();
            return await admin.AlterConsumerGroupOffsetsAsync([new(group, offsets)]);
        });
    }

    [Fact]
    public async Task F49_Rebalances_every_three_seconds_under_load_lose_and_double_nothing()
    {
        const int Coupons = 3_000, Purchases = 40;
        var sale = new Sale();
        await using var stack = new CommerceStack { Arguments = [sale.SigningKey] };
        await stack.StartAsync();
        Assert.SkipWhen(await stack.HasMockBrokerAsync(), FaultInjection.NeedsRealBroker);
        var (coupon, product) = (await stack.CouponAsync(Coupons), await stack.ProductAsync(stock: Purchases, price: 5_000));
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        var rebalances = Task.WhenAll(Groups.Select(g => Task.Run(() => ComeAndGoAsync(stack.Kafka, g.Key, g.Value, ended.Token), Cancelled)));

        // The rate is low enough for the sale to last several rebalances.
        using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(80));
        var buying = Parallel.ForAsync(0, Purchases, new ParallelOptions { MaxDegreeOfParallelism = 2 }, async (i, _) => sale.Bought(await Sale.BuyAsync(stack, sale.UserOf(stack, $"b-{i}"), product.Id)));
        foreach (var group in Enumerable.Range(0, Coupons).Chunk(10))
        {
            await pace.WaitForNextTickAsync(Cancelled);
            await Task.WhenAll(group.Select(i => sale.TakeAsync(stack, $"c-{i}", coupon.Id)));
        }

        await buying.WaitAsync(Deadline, Cancelled);
        await ended.CancelAsync();
        Assert.All(await rebalances, count => Assert.InRange(count, 5, int.MaxValue));

        await Eventually.GetAsync(() => stack.Services.GetRequiredService<ConsistencyCheck>().RunAsync(Cancelled), report => report.Holds, Deadline);
        var database = stack.Services.GetRequiredService<MySqlDatabase>();
        Assert.Equal(Coupons, sale.Verdicts.Values.Count(v => v == ""));
        Assert.Equal(Coupons, await database.SingleAsync<int>("SELECT COUNT(*) FROM coupon_issue", null, Cancelled));
        Assert.Equal(0, await database.SingleAsync<int>("SELECT stock FROM product WHERE id = @Id", new { product.Id }, Cancelled));
        Assert.Equal(0, await database.SingleAsync<int>("SELECT COUNT(*) FROM dead_letter", null, Cancelled));
    }

    /// <summary>Joins and leaves the group repeatedly. Reads without committing. Returns the number of rounds.</summary>
    static async Task<int> ComeAndGoAsync(string brokers, string topic, string group, CancellationToken ended)
    {
        var count = 0;
        for (; !ended.IsCancellationRequested; count++)
        {
            using var member = new ConsumerBuilder<Ignore, Ignore>(new ConsumerConfig { BootstrapServers = brokers, GroupId = group, EnableAutoCommit = false, SessionTimeoutMs = 6000, HeartbeatIntervalMs = 1500 })
                .SetLogHandler((_, _) => { }).Build();
            member.Subscribe(topic);
            var start = TimeProvider.System.GetTimestamp();
            while (TimeProvider.System.GetElapsedTime(start) < TimeSpan.FromSeconds(1.5)) member.Consume(TimeSpan.FromMilliseconds(100));
            member.Close();
            await Task.Delay(TimeSpan.FromSeconds(1.5), ended).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        return count;
    }
}
