using Commerce.Core;
using Commerce.Core.Messaging;
using Commerce.Core.Outbox;
using Commerce.ServiceDefaults;
using Confluent.Kafka;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Commerce.Tests.Servers.Messaging;

/// <summary>Tests every Kafka client of the application on a listener with TLS and SASL.</summary>
public sealed class SecureKafkaTests
{
    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Each_client_connects_with_TLS_and_SASL_by_one_configuration()
    {
        Assert.SkipUnless(KafkaCluster.IsInstalled, KafkaCluster.WhyNot);
        await using var kafka = await KafkaCluster.StartAsync(security: new KafkaSecurity(("commerce", "secret-1"), ("other", "secret-2")));

        await ConnectsAsync(kafka, "ScramSha512", "commerce", "secret-1");
        await ConnectsAsync(kafka, "Plain", "other", "secret-2");

        using var stranger = Host(kafka, "ScramSha512", "commerce", "wrong");
        Assert.Equal(HealthStatus.Degraded, await HealthAsync(stranger, "kafka"));
        Assert.Equal(HealthStatus.Degraded, await HealthAsync(stranger, "topics"));
        await Assert.ThrowsAsync<KafkaException>(() => stranger.Services.GetRequiredService<TopicPartitions>().CountAsync(Topics.EventOpen, Cancelled));
    }

    static async Task ConnectsAsync(KafkaCluster kafka, string mechanism, string user, string password)
    {
        using var host = Host(kafka, mechanism, user, password);
        // This tests the creation of topics.
        await host.Services.GetRequiredService<TopicCreator>().CreateAsync();
        // This tests the producer of acceptances and dead letters, and the query for partitions.
        var partitions = await host.Services.GetRequiredService<TopicPartitions>().CountAsync(Topics.EventOpen, Cancelled);
        Assert.Equal(Topics.Partitions[Topics.EventOpen], partitions);
        await host.Services.GetRequiredService<KafkaProducer>().ProduceAsync(Topics.EventOpen, new() { Value = "acceptance"u8.ToArray() }, Cancelled);
        // This tests the relay.
        using var relay = new OutboxProducer(host.Services.GetRequiredService<IConfiguration>(), NullLogger.Instance);
        var sent = new TaskCompletionSource<Error>(TaskCreationOptions.RunContinuationsAsynchronously);
        relay.Send(new() { Id = 1, Shard = 0, Topic = Topics.EventOpen, Key = "key", MessageId = "id", Payload = "outbox"u8.ToArray() }, report => sent.SetResult(report.Error));
        Assert.False((await sent.Task.WaitAsync(TimeSpan.FromSeconds(20), Cancelled)).IsError);
        // This tests a consumer.
        using var consumer = host.Services.GetRequiredService<ConsumerFactory>().Create($"secure-{mechanism}");
        consumer.Subscribe(Topics.EventOpen);
        for (var i = 0; i < 2; i++) Assert.NotNull(consumer.Consume(TimeSpan.FromSeconds(20)));
        consumer.Close();
        // This tests the health check.
        Assert.Equal(HealthStatus.Healthy, await HealthAsync(host, "kafka"));
        Assert.Equal(HealthStatus.Healthy, await HealthAsync(host, "topics"));
    }

    static async Task<HealthStatus> HealthAsync(IHost host, string check) =>
        (await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(c => c.Name == check, Cancelled)).Status;

    static IHost Host(KafkaCluster kafka, string mechanism, string user, string password)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["ConnectionStrings:kafka"] = kafka.BootstrapServers,
            ["Kafka:Client:SecurityProtocol"] = "SaslSsl",
            ["Kafka:Client:SaslMechanism"] = mechanism,
            ["Kafka:Client:SaslUsername"] = user,
            ["Kafka:Client:SaslPassword"] = password,
            ["Kafka:Client:SslCaLocation"] = kafka.CaFile,
        });
        builder.AddServiceDefaults();
        builder.AddCommerceCore(commandTimeout: TimeSpan.FromSeconds(1));
        builder.AddTopicCreator();
        return builder.Build();
    }
}
