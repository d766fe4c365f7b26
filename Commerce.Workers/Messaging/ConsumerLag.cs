using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Commerce.Core.Background;
using Commerce.Core.Messaging;
using Commerce.ServiceDefaults;
using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace Commerce.Workers.Messaging;

/// <summary>
/// Measures how far the consumers are behind, as the brokers see it: whether a consumer is slow, stuck or gone. Each process tells of the whole group, so
/// the figures of several are not to be added.
/// </summary>
sealed class ConsumerLag : PeriodicWorker
{
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(5);

    readonly TopicPartitions _partitions;
    readonly IProducer<string?, byte[]?> _producer;
    readonly IReadOnlyList<ConsumedTopic> _consumed;
    readonly ConcurrentDictionary<string, long> _lag = new();

    public ConsumerLag(TopicPartitions partitions, IProducer<string?, byte[]?> producer, IEnumerable<ConsumedTopic> consumed, TimeProvider clock, ILogger<ConsumerLag> logger)
        : base(clock, logger)
    {
        (_partitions, _producer, _consumed) = (partitions, producer, [.. consumed]);
        CommerceTelemetry.Meter.CreateObservableGauge("commerce.consumer.lag",
            () => _lag.Select(l => new Measurement<long>(l.Value, new KeyValuePair<string, object?>("topic", l.Key))), "{message}");
    }

    protected override TimeSpan Interval => TimeSpan.FromSeconds(5);

    protected override async Task RunOnceAsync(CancellationToken stoppingToken)
    {
        var metadata = await _partitions.AskAsync(stoppingToken);
        using var admin = new DependentAdminClientBuilder(_producer.Handle).Build();
        foreach (var (topic, group) in _consumed)
        {
            if (metadata.Topics.Find(t => t.Topic == topic && !t.Error.IsError) is not { } found) continue;
            var partitions = found.Partitions.ConvertAll(p => new TopicPartition(topic, p.PartitionId));
            if (await MeasureAsync(admin, group, partitions) is not { } lag) return;
            _lag[topic] = lag;
        }
    }

    /// <summary>How many messages the group has not committed; null where the brokers cannot tell (the mock).</summary>
    static async Task<long?> MeasureAsync(IAdminClient admin, string group, List<TopicPartition> partitions)
    {
        try
        {
            var committed = (await admin.ListConsumerGroupOffsetsAsync([new(group, partitions)], new() { RequestTimeout = Deadline }))[0].Partitions
                .ToDictionary(p => p.Partition.Value, p => p.Offset.Value);
            var first = await OffsetsAsync(OffsetSpec.Earliest());
            var end = await OffsetsAsync(OffsetSpec.Latest());
            // Where nothing is committed the group begins with the first message that is there.
            return end.Sum(e => Math.Max(0, e.Value - Math.Max(committed.GetValueOrDefault(e.Key, -1), first.GetValueOrDefault(e.Key))));
        }
        catch (KafkaException e) when (e.Error.Code is ErrorCode.Local_UnsupportedFeature or ErrorCode.UnsupportedVersion)
        {
            return null;
        }

        async Task<Dictionary<int, long>> OffsetsAsync(OffsetSpec spec) =>
            (await admin.ListOffsetsAsync(partitions.Select(p => new TopicPartitionOffsetSpec { TopicPartition = p, OffsetSpec = spec }), new() { RequestTimeout = Deadline }))
                .ResultInfos.ToDictionary(r => r.TopicPartitionOffsetError.Partition.Value, r => r.TopicPartitionOffsetError.Offset.Value);
    }
}

/// <summary>Adds what watches the consumers.</summary>
static class ConsumerWatchExtensions
{
    public static WebApplicationBuilder AddConsumerWatch(this WebApplicationBuilder builder)
    {
        builder.Services.AddHostedService<ConsumerLag>();
        builder.Services.AddDependencyCheck("consumers", static (services, _) =>
        {
            services.GetRequiredService<ConsumerStates>().ThrowIfWaiting();
            return Task.CompletedTask;
        });
        return builder;
    }
}
