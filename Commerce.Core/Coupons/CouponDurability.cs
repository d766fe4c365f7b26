using Commerce.Core.Background;
using Commerce.Core.Messaging;
using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace Commerce.Core.Coupons;

/// <summary>What must have an acceptance before its user is told.</summary>
public enum Durability
{
    /// <summary>
    /// The brokers: one of them has it in its page cache, which a power cut takes; three have it on two machines at least. Where they do not answer,
    /// the database.
    /// </summary>
    Broker,

    /// <summary>The database, on disk. Costs a share of a transaction, and while MySQL is away nothing is issued.</summary>
    Database,
}

/// <summary>
/// Decides what must have an acceptance before its user is told: what <c>Coupons:Durability</c> says, else what the topic can keep. Where it lies on one
/// broker, or one may acknowledge alone, that is the database; until the brokers have told, as well.
/// </summary>
public sealed partial class CouponDurability(IConfiguration configuration, KafkaAdmin admin, TimeProvider clock, ILogger<CouponDurability> logger)
    : PeriodicWorker(clock, logger)
{
    /// <summary>The setting.</summary>
    public const string Setting = "Coupons:Durability";

    const string Insync = "min.insync.replicas";

    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(5);

    // An empty one is none.
    readonly Durability? _configured = configuration[Setting] is { Length: > 0 } ? configuration.GetValue<Durability>(Setting) : null;

    volatile bool _brokerSuffices;

    /// <summary>What has to have an acceptance now.</summary>
    public Durability Needed => _configured ?? (_brokerSuffices ? Durability.Broker : Durability.Database);

    /// <inheritdoc/>
    protected override TimeSpan Interval => TimeSpan.FromSeconds(10);

    /// <inheritdoc/>
    protected override Task RunOnceAsync(CancellationToken stoppingToken) => _configured is null ? AskAsync(stoppingToken) : Task.CompletedTask;

    /// <summary>Asks the brokers what the topic can keep.</summary>
    /// <exception cref="KafkaException">They cannot be reached: what they told last holds.</exception>
    public async Task AskAsync(CancellationToken cancellationToken)
    {
        var before = _brokerSuffices;
        _brokerSuffices = await IsReplicatedAsync(cancellationToken);
        if (_brokerSuffices != before) LogNeeded(Logger, Needed);
    }

    /// <inheritdoc/>
    protected override Task WaitAsync(TimeSpan wait, CancellationToken stoppingToken) =>
        base.WaitAsync(_configured is null ? wait : Timeout.InfiniteTimeSpan, stoppingToken);

    async Task<bool> IsReplicatedAsync(CancellationToken cancellationToken)
    {
        var topic = await admin.DescribeTopicAsync(Topics.CouponIssued, Deadline, cancellationToken);
        if (topic.Error.IsError || topic.Partitions.Exists(p => p.Replicas.Length < 2)) return false;
        // The mock broker cannot tell: it has everything in memory.
        var described = await admin.AskAsync(
            client => client.DescribeConfigsAsync([new ConfigResource { Type = ResourceType.Topic, Name = Topics.CouponIssued }], new() { RequestTimeout = Deadline }),
            cancellationToken);
        return described[0].Entries.TryGetValue(Insync, out var insync) && int.TryParse(insync.Value, out var count) && count >= 2;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "An acceptance is told when it is with the {Needed}")]
    static partial void LogNeeded(ILogger logger, Durability needed);
}
