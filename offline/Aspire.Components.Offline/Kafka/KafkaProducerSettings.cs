using Confluent.Kafka;

namespace Aspire.Confluent.Kafka;

/// <summary>Settings of <c>AddKafkaProducer</c>, configuration section <c>Aspire:Confluent:Kafka:Producer</c>.</summary>
public sealed class KafkaProducerSettings : IConnectionSettings
{
    /// <summary>The bootstrap servers. They win over those in <see cref="Config"/>.</summary>
    public string? ConnectionString { get; set; }

    public ProducerConfig Config { get; } = [];

    public bool DisableHealthChecks { get; set; }

    /// <summary>Without effect here: the client has no activity source.</summary>
    public bool DisableTracing { get; set; }

    /// <summary>Without effect here: the client has no meters.</summary>
    public bool DisableMetrics { get; set; }
}
