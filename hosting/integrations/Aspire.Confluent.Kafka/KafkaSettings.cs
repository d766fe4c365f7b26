using Confluent.Kafka;

namespace Aspire.Confluent.Kafka;

/// <summary>Settings of <c>AddKafkaProducer</c>. Configuration section <c>Aspire:Confluent:Kafka:Producer</c>.</summary>
public sealed class KafkaProducerSettings
{
    /// <summary>The bootstrap servers. They override those in <see cref="Config"/>.</summary>
    public string? ConnectionString { get; set; }

    public ProducerConfig Config { get; } = [];

    public bool DisableHealthChecks { get; set; }

    public bool DisableMetrics { get; set; }
}
