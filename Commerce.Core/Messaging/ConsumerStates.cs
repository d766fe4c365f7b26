using System.Collections.Concurrent;

namespace Commerce.Core.Messaging;

/// <summary>
/// The topics whose consumers in this process cannot continue, with the reasons. <c>/health/dependencies</c> shows them.
/// </summary>
public sealed class ConsumerStates
{
    readonly ConcurrentDictionary<string, string> _waiting = new();

    /// <summary>Topic → the reason why its messages wait.</summary>
    public IReadOnlyDictionary<string, string> Waiting => _waiting;

    /// <summary>Records that the messages of a topic wait.</summary>
    public void Waits(string topic, string reason) => _waiting[topic] = reason;

    /// <summary>Records that the messages of a topic are processed again.</summary>
    public void GoesOn(string topic) => _waiting.TryRemove(topic, out _);

    /// <summary>The health check: throws while a topic's messages wait.</summary>
    /// <exception cref="InvalidOperationException">The message lists the waiting topics and the reasons.</exception>
    public void ThrowIfWaiting()
    {
        if (_waiting.IsEmpty) return;
        throw new InvalidOperationException(string.Join("; ", _waiting.Select(w => $"{w.Key} waits: {w.Value}")));
    }
}
