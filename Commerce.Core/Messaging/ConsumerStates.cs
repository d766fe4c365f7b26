using System.Collections.Concurrent;

namespace Commerce.Core.Messaging;

/// <summary>Which topics' consumers of this process cannot go on at the moment, and why: <c>/health/dependencies</c> tells of it.</summary>
public sealed class ConsumerStates
{
    readonly ConcurrentDictionary<string, string> _waiting = new();

    /// <summary>The topic → why its messages wait.</summary>
    public IReadOnlyDictionary<string, string> Waiting => _waiting;

    /// <summary>The messages of this topic wait.</summary>
    public void Waits(string topic, string reason) => _waiting[topic] = reason;

    /// <summary>They do not wait any more.</summary>
    public void GoesOn(string topic) => _waiting.TryRemove(topic, out _);

    /// <summary>Fails while a topic's messages wait.</summary>
    /// <exception cref="InvalidOperationException">They do.</exception>
    public void ThrowIfWaiting()
    {
        if (_waiting.IsEmpty) return;
        throw new InvalidOperationException(string.Join("; ", _waiting.Select(w => $"{w.Key} waits: {w.Value}")));
    }
}
