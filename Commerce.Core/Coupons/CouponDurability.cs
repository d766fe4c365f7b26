using Commerce.Core.Background;
using Commerce.Core.Messaging;
using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace Commerce.Core.Coupons;

/// <summary>Where an acceptance is stored before the user gets the response.</summary>
public enum Durability
{
    /// <summary>
    /// On the brokers. A single broker keeps it in its page cache, which a power failure loses. Of three brokers, at least two have it.
    /// If the brokers do not respond, it is stored in the database.
    /// </summary>
    Broker,

    /// <summary>
    /// In the database, on disk. This costs a share of a transaction per acceptance, and no coupon is issued while MySQL is unavailable.
    /// </summary>
    Database,
}

/// <summary>
/// Decides where an acceptance is stored before the user gets the response. The setting <c>Coupons:Durability</c> takes precedence.
/// Without it, the replication of the topic decides. The database is used if the topic has one replica, if <c>min.insync.replicas</c>
/// is 1, and until the brokers have answered.
/// </summary>
public sealed partial class CouponDurability(IConfiguration configuration, KafkaAdmin admin, TimeProvider clock, ILogger<CouponDurability> logger)
    : PeriodicWorker(clock, logger)
{
    /// <summary>The name of the setting.</summary>
    public const string Setting = "Coupons:Durability";

    const string Insync = "min.insync.replicas";

    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(5);

    // An empty value counts as unset.
    readonly Durability? _configured = configuration[Setting] is { Length: > 0 } ? configuration.GetValue<Durability>(Setting) : null;

    volatile bool _brokerSuffices;

    /// <summary>Where acceptances are stored now.</summary>
    public Durability Needed => _configured ?? (_brokerSuffices ? Durability.Broker : Durability.Database);

    /// <inheritdoc/>
    protected override TimeSpan Interval => TimeSpan.FromSeconds(10);

    /// <inheritdoc/>
    protected override Task RunOnceAsync(CancellationToken stoppingToken) => _configured is null ? AskAsync(stoppingToken) : Task.CompletedTask;

    /// <summary>Asks the brokers for the topic's replication.</summary>
    /// <exception cref="KafkaException">The brokers cannot be reached; their last answer stays in force.</exception>
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
        // The mock broker has no topic configuration, because it keeps everything in memory.
        var described = await admin.AskAsync(
            client => client.DescribeConfigsAsync([new ConfigResource { Type = ResourceType.Topic, Name = Topics.CouponIssued }], new() { RequestTimeout = Deadline }),
            cancellationToken);
        return described[0].Entries.TryGetValue(Insync, out var insync) && int.TryParse(insync.Value, out var count) && count >= 2;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Acceptances are stored by the {Needed} before the response")]
    static partial void LogNeeded(ILogger logger, Durability needed);
}
