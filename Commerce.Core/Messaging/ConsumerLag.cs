using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Commerce.Core.Messaging;

/// <summary>
/// How many messages wait, by topic: whether a consumer is slow or stuck. Each process tells of the partitions that it has, so the figures of several are to
/// be added. The consumers tell it themselves, because brokers that are asked for it may not answer, and must be asked by another client.
/// </summary>
public sealed class ConsumerLag
{
    readonly ConcurrentDictionary<string, long> _messages = new();

    /// <summary>Adds the gauge <c>commerce.consumer.lag</c>.</summary>
    public ConsumerLag() => CommerceTelemetry.Meter.CreateObservableGauge("commerce.consumer.lag",
        () => _messages.Select(m => new Measurement<long>(m.Value, new KeyValuePair<string, object?>("topic", m.Key))), "{message}");

    /// <summary>Topic → messages that wait, as noted last.</summary>
    public IReadOnlyDictionary<string, long> Messages => _messages;

    /// <summary>So many messages of the topic wait.</summary>
    public void Note(string topic, long messages) => _messages[topic] = messages;

    /// <summary>The topic has no consumer any more.</summary>
    public void Forget(string topic) => _messages.TryRemove(topic, out _);
}
