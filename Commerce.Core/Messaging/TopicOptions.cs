using System.ComponentModel.DataAnnotations;

namespace Commerce.Core.Messaging;

/// <summary>How topics are created. Configuration section <c>Kafka:Topics</c>. Existing topics are not changed.</summary>
public sealed record TopicOptions
{
    public const string Section = "Kafka:Topics";

    /// <summary>The number of brokers that store a message: 1 to 10. Default: three, or all brokers if there are fewer.</summary>
    [Range(1, 10)]
    public short? ReplicationFactor { get; init; }

    /// <summary>
    /// The number of replicas that must have a message before it is acknowledged: 1 to 10. Default: one less than the number of replicas,
    /// but at least one.
    /// </summary>
    [Range(1, 10)]
    public int? MinInsyncReplicas { get; init; }

    /// <summary>How long messages are kept: 1 h to 366 days. A consumer that is away for longer misses messages.</summary>
    [Range(typeof(TimeSpan), "01:00:00", "366.00:00:00")]
    public TimeSpan Retention { get; init; } = TimeSpan.FromDays(7);

    /// <summary>How long dead letters are kept in Kafka: 1 h to 366 days. MySQL gets a copy at once.</summary>
    [Range(typeof(TimeSpan), "01:00:00", "366.00:00:00")]
    public TimeSpan DeadLetterRetention { get; init; } = TimeSpan.FromDays(30);

    /// <summary>Returns the number of replicas of a topic for a number of brokers.</summary>
    public short ReplicasOn(int brokers) => ReplicationFactor ?? (short)Math.Clamp(brokers, 1, 3);

    /// <summary>Returns the number of replicas that must have a message, for a number of replicas.</summary>
    public int InsyncOf(int replicas) => Math.Min(MinInsyncReplicas ?? Math.Max(1, replicas - 1), replicas);
}
