using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Commerce.Core.Messaging;

/// <summary>
/// The number of waiting messages, by topic. Each process reports its own partitions, so the values of all processes must be added
/// up.
/// </summary>
public sealed class ConsumerLag
{
    readonly ConcurrentDictionary<string, long> _messages = new();

    /// <summary>Adds the gauge <c>commerce.consumer.lag</c>.</summary>
    public ConsumerLag() => CommerceTelemetry.Meter.CreateObservableGauge("commerce.consumer.lag",
        () => _messages.Select(m => new Measurement<long>(m.Value, new KeyValuePair<string, object?>("topic", m.Key))), "{message}");

    /// <summary>Topic → waiting messages, as last measured.</summary>
    public IReadOnlyDictionary<string, long> Messages => _messages;

    /// <summary>Sets the number of waiting messages of a topic.</summary>
    public void Note(string topic, long messages) => _messages[topic] = messages;

    /// <summary>Removes a topic that this process no longer consumes.</summary>
    public void Forget(string topic) => _messages.TryRemove(topic, out _);
}
