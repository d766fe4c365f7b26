using Confluent.Kafka;

namespace Aspire.Confluent.Kafka;

/// <summary>Settings of <c>AddKafkaConsumer</c>, configuration section <c>Aspire:Confluent:Kafka:Consumer</c>.</summary>
public sealed class KafkaConsumerSettings : IConnectionSettings
{
    /// <summary>The bootstrap servers. They win over those in <see cref="Config"/>.</summary>
    public string? ConnectionString { get; set; }

    public ConsumerConfig Config { get; } = [];

    public bool DisableHealthChecks { get; set; }

    /// <summary>Without effect here: the client has no activity source.</summary>
    public bool DisableTracing { get; set; }

    /// <summary>Without effect here: the client has no meters.</summary>
    public bool DisableMetrics { get; set; }
}
