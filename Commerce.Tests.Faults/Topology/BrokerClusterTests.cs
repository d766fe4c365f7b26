using System.Text;
using Commerce.Core.Consistency;
using Commerce.Core.Database;
using Commerce.Core.Messaging;
using Commerce.Tests.Servers.Messaging;
using Confluent.Kafka;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Faults.Topology;

/// <summary>Three brokers lose all data, or fewer of them run than a topic requires.</summary>
public sealed class BrokerClusterTests
{
    const int Coupons = 40, Orders = 12;

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact(Timeout = LongTests.Limit)]
    public async Task F43_Three_brokers_come_back_as_another_cluster_and_everything_goes_on()
    {
        Assert.SkipUnless(KafkaCluster.IsInstalled, KafkaCluster.WhyNot);
        await using var kafka = await KafkaCluster.StartAsync(nodes: 3);
        var sale = new Sale();
        await using var stack = Stack(kafka, sale, []);
        await stack.StartAsync();
        await SellAsync(stack, sale, "before");
        await ArrivedAsync(stack, batches: 1);
        for (var node = 1; node <= 3; node++)
        {
            await kafka.KillAsync(node);
            await Eventually.GetAsync(() => Task.FromResult(kafka.LeaderOf(Topics.OrderPlaced)), leader => leader != node);
            await kafka.StartNodeAsync(node);
        }

        await SellAsync(stack, sale, "between");
        await ArrivedAsync(stack, batches: 2);
        await kafka.EmptyAsync();

        await SellAsync(stack, sale, "after");

        await ArrivedAsync(stack, batches: 3);
        // The Api may notice the new topics after everything has arrived.
        await Eventually.EqualAsync(1, () => stack.CountSaidAsync("api", "were created again; new producers"));
        await ExactAsync(stack, deadLetters: 0);
    }

    [Fact(Timeout = LongTests.Limit)]
    public async Task F45_While_topics_are_short_of_replicas_everything_waits_and_nothing_is_a_dead_letter()
    {
        Assert.SkipUnless(KafkaCluster.IsInstalled, KafkaCluster.WhyNot);
        await using var kafka = await KafkaCluster.StartAsync(nodes: 3);
        var sale = new Sale();
        // A message must be on all three brokers.
        await using var stack = Stack(kafka, sale, new() { ["Kafka__Topics__MinInsyncReplicas"] = "3" });
        await stack.StartAsync();
        await SellAsync(stack, sale, "before");
        await ArrivedAsync(stack, batches: 1);
        Assert.Equal("Healthy", await stack.HealthOfAsync("topics"));

        await kafka.KillAsync(3);
        await Eventually.EqualAsync("Degraded", () => stack.HealthOfAsync("topics"));
        // The leader alone accepts this poison message. Consumers see it when enough replicas are in sync again (KIP-966).
        await Eventually.DoneAsync(() => PoisonAsync(kafka));
        await SellAsync(stack, sale, "short");
        var database = stack.Services.GetRequiredService<MySqlDatabase>();
        // The brokers refuse repeatedly, and no message uses up an attempt.
        await Eventually.GetAsync(async () => await stack.CountSaidAsync("workers", "rejects all outbox messages") + await stack.CountSaidAsync("workers", "Outbox relay paused"), count => count >= 3);
        Assert.Equal(0, await database.SingleAsync<int>("SELECT COUNT(*) FROM outbox_refused", null, Cancelled));
        Assert.Equal(0, await database.SingleAsync<int>("SELECT COUNT(*) FROM dead_letter", null, Cancelled));
        Assert.NotEqual(0, await database.SingleAsync<int>("SELECT COUNT(*) FROM outbox_waiting", null, Cancelled));

        await kafka.StartNodeAsync(3);

        await ArrivedAsync(stack, batches: 2);
        await Eventually.EqualAsync("Healthy", () => stack.HealthOfAsync("topics"));
        await ExactAsync(stack, deadLetters: 1);
    }

    static CommerceStack Stack(KafkaCluster kafka, Sale sale, Dictionary<string, string> settings) => new()
    {
        Arguments = [$"--ConnectionStrings:kafka={kafka.BootstrapServers}", sale.SigningKey],
        // The stack detects the durability from the brokers, as in production.
        Settings = new Dictionary<string, string>(settings) { ["Coupons__Durability"] = "" },
    };

    /// <summary>Sells out a new coupon to users, and a new product to others. Every request succeeds.</summary>
    static async Task SellAsync(CommerceStack stack, Sale sale, string prefix)
    {
        var coupon = await stack.CouponAsync(Coupons);
        var product = await stack.ProductAsync(Orders, price: 5_000);
        await Parallel.ForAsync(0, Coupons, Cancelled, async (i, _) => await sale.TakeAsync(stack, $"{prefix}-{i}", coupon.Id));
        Assert.All(sale.Verdicts.Values, verdict => Assert.Equal("", verdict));
        await Parallel.ForAsync(0, Orders, Cancelled, async (i, _) => sale.Bought(await Sale.BuyAsync(stack, sale.UserOf(stack, $"{prefix}-b-{i}"), product.Id)));
    }

    /// <summary>Waits until the acceptances and paid orders of these sales have passed Kafka and taken effect.</summary>
    static async Task ArrivedAsync(CommerceStack stack, int batches)
    {
        var database = stack.Services.GetRequiredService<MySqlDatabase>();
        await Eventually.EqualAsync(batches * Coupons, () => database.SingleAsync<int>("SELECT COUNT(*) FROM coupon_issue", null, Cancelled), TimeSpan.FromMinutes(2));
        await Eventually.EqualAsync(batches * Orders, () => database.SingleAsync<int>("SELECT COUNT(*) FROM orders WHERE status = 'PAID' AND NOT holding", null, Cancelled), TimeSpan.FromMinutes(2));
        await Eventually.EqualAsync(0, () => database.SingleAsync<int>("SELECT COUNT(*) FROM outbox_waiting", null, Cancelled), TimeSpan.FromMinutes(2));
    }

    static async Task ExactAsync(CommerceStack stack, int deadLetters)
    {
        await Eventually.GetAsync(() => stack.Services.GetRequiredService<ConsistencyCheck>().RunAsync(Cancelled), report => report.Holds, TimeSpan.FromMinutes(3));
        await Eventually.EqualAsync(deadLetters, () => stack.Services.GetRequiredService<MySqlDatabase>().SingleAsync<int>("SELECT COUNT(*) FROM dead_letter", null, Cancelled));
    }

    /// <summary>Produces a malformed message without waiting for all replicas.</summary>
    static async Task<bool> PoisonAsync(KafkaCluster kafka)
    {
        using var producer = new ProducerBuilder<Null, byte[]>(new ProducerConfig { BootstrapServers = kafka.BootstrapServers, Acks = Acks.Leader, MessageTimeoutMs = 5000 })
            .SetLogHandler((_, _) => { }).Build();
        await producer.ProduceAsync(Topics.CouponIssued, new() { Value = Encoding.UTF8.GetBytes("{ not json") }, Cancelled);
        return true;
    }
}
