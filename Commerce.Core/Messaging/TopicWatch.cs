using Commerce.Core.Background;

namespace Commerce.Core.Messaging;

/// <summary>
/// Detects topics that were created again, because the brokers came back without their log, or because somebody deleted a topic. It
/// then replaces the producers of this process. It compares the ids of the topics, because a client gets no error: its messages wait
/// for the old leaders until they time out.
/// </summary>
public sealed partial class TopicWatch(KafkaAdmin admin, KafkaProducer producer, TimeProvider clock, ILogger<TopicWatch> logger) : PeriodicWorker(clock, logger)
{
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(2);

    readonly Dictionary<string, string> _ids = [];
    int _changes;

    /// <summary>How often topics were created again. A producer that is older than the last change must be replaced.</summary>
    public int Changes => Volatile.Read(ref _changes);

    /// <inheritdoc/>
    protected override TimeSpan Interval => TimeSpan.FromSeconds(2);

    /// <inheritdoc/>
    protected override async Task RunOnceAsync(CancellationToken stoppingToken)
    {
        var ids = await admin.TopicIdsAsync(Topics.Partitions.Keys, Deadline, stoppingToken);
        var anew = ids.Where(t => _ids.TryGetValue(t.Key, out var before) && before != t.Value).Select(t => t.Key).Order(StringComparer.Ordinal).ToList();
        if (anew.Count > 0)
        {
            producer.Renew();
            Interlocked.Increment(ref _changes);
            LogRenewed(Logger, string.Join(", ", anew));
        }

        // A topic that is missing now keeps its id here, because it may be created again.
        foreach (var (topic, id) in ids) _ids[topic] = id;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Topics} were created again; new producers replace the old ones")]
    static partial void LogRenewed(ILogger logger, string topics);
}
