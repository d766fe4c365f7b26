using Commerce.Core;
using Commerce.Core.Messaging;
using Commerce.ServiceDefaults;
using Confluent.Kafka;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Commerce.Tests.Servers.Messaging;

/// <summary>Topics that are created again while their producers are in use.</summary>
[Long]
public sealed class ReplacedTopicTests
{
    static readonly string[] Written = [Topics.CouponIssued, Topics.OrderPlaced];

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    /// <summary>With one broker there is one leader to send to. With three, the old leaders are the wrong ones.</summary>
    [Fact]
    public async Task F43_The_producer_goes_on_at_three_brokers_that_came_back_as_another_cluster()
    {
        Assert.SkipUnless(KafkaCluster.IsInstalled, KafkaCluster.WhyNot);
        await using var kafka = await KafkaCluster.StartAsync(nodes: 3);
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?> { ["ConnectionStrings:kafka"] = kafka.BootstrapServers });
        builder.AddServiceDefaults();
        builder.AddCommerceCore(commandTimeout: TimeSpan.FromSeconds(1));
        builder.AddTopicCreator();
        using var host = builder.Build();
        var (creator, producer, watch) = (host.Services.GetRequiredService<TopicCreator>(), host.Services.GetRequiredService<KafkaProducer>(), host.Services.GetRequiredService<TopicWatch>());
        await creator.CreateAsync();
        await watch.StartAsync(Cancelled);
        await SendAsync();
        // The epoch of a partition grows with each change of its leader.
        for (var node = 1; node <= 3; node++)
        {
            await kafka.KillAsync(node);
            await Eventually.GetAsync(() => Task.FromResult(Leaders()), leaders => !leaders.Contains(node));
            await kafka.StartNodeAsync(node);
        }

        await SendAsync();
        var before = Leaders();

        await kafka.EmptyAsync();
        await Eventually.DoneAsync(creator.CreateAsync);

        Assert.NotEqual(before, await Eventually.GetAsync(() => Task.FromResult(Leaders()), leaders => !leaders.Contains(-1)));
        await SendAsync();
        Assert.InRange(watch.Changes, 1, 2);
        await watch.StopAsync(Cancelled);

        IReadOnlyList<int> Leaders() =>
            [.. Written.SelectMany(topic => Enumerable.Range(0, Topics.Partitions[topic]).Select(partition => kafka.LeaderOf(topic, partition)))];

        // Sends a message to each partition.
        async Task SendAsync()
        {
            foreach (var topic in Written)
            {
                for (var partition = 0; partition < Topics.Partitions[topic]; partition++)
                {
                    var to = new TopicPartition(topic, partition);
                    await Eventually.DoneAsync(() => producer.ProduceAsync(to, new() { Value = [1] }, Cancelled));
                }
            }
        }
    }
}
