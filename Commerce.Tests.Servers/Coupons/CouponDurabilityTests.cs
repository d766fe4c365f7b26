using Commerce.Core.Coupons;
using Commerce.Core.Messaging;
using Commerce.ServiceDefaults;
using Commerce.Tests.Servers.Messaging;
using Confluent.Kafka;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Commerce.Tests.Servers.Coupons;

/// <summary>Tests where an acceptance is stored before the response. Without a setting the brokers' configuration decides.</summary>
[Long]
public sealed class CouponDurabilityTests
{
    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1, null, Durability.Database)]
    [InlineData(3, null, Durability.Broker)]
    [InlineData(3, 1, Durability.Database)]
    public async Task Brokers_suffice_where_two_of_them_must_have_a_message(int nodes, int? minInsync, Durability expected)
    {
        Assert.SkipUnless(KafkaCluster.IsInstalled, KafkaCluster.WhyNot);
        await using var kafka = await KafkaCluster.StartAsync(nodes);
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?> { ["ConnectionStrings:kafka"] = kafka.BootstrapServers }).Build();
        using var producer = NewProducer(new ProducerConfig().ForCommerce(configuration));
        var admin = new KafkaAdmin(producer);
        using var durability = new CouponDurability(configuration, admin, TimeProvider.System, NullLogger<CouponDurability>.Instance);
        // The brokers have not answered yet.
        Assert.Equal(Durability.Database, durability.Needed);
        var options = new TopicOptions { MinInsyncReplicas = minInsync };
        await new TopicCreator(configuration, Options.Create(options), NullLogger<TopicCreator>.Instance).CreateAsync();

        await durability.AskAsync(Cancelled);

        Assert.Equal(expected, durability.Needed);
    }

    [Theory]
    [InlineData("Broker", Durability.Broker)]
    [InlineData("Database", Durability.Database)]
    [InlineData("", Durability.Database)]
    public void What_is_configured_wins(string setting, Durability expected)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(new Dictionary<string, string?> { [CouponDurability.Setting] = setting }).Build();
        using var producer = NewProducer(new() { BootstrapServers = "127.0.0.1:1" });
        var admin = new KafkaAdmin(producer);
        using var durability = new CouponDurability(configuration, admin, TimeProvider.System, NullLogger<CouponDurability>.Instance);
        Assert.Equal(expected, durability.Needed);
    }

    static KafkaProducer NewProducer(ProducerConfig config) => new(() => new ProducerBuilder<string?, byte[]?>(config).SetLogHandler((_, _) => { }).Build());
}
