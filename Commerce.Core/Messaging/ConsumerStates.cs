using System.Collections.Concurrent;

namespace Commerce.Core.Messaging;

/// <summary>The topics whose consumers in this process cannot go on, and why. <c>/health/dependencies</c> shows it.</summary>
public sealed class ConsumerStates
{
    readonly ConcurrentDictionary<string, string> _waiting = new();

    /// <summary>Topic → why its messages wait.</summary>
    public IReadOnlyDictionary<string, string> Waiting => _waiting;

    /// <summary>Notes that the messages of a topic wait.</summary>
    public void Waits(string topic, string reason) => _waiting[topic] = reason;

    /// <summary>Notes that the messages of a topic are handled again.</summary>
    public void GoesOn(string topic) => _waiting.TryRemove(topic, out _);

    /// <summary>The health check: throws while a topic's messages wait.</summary>
    /// <exception cref="InvalidOperationException">Which topics wait, and why.</exception>
    public void ThrowIfWaiting()
    {
        if (_waiting.IsEmpty) return;
        throw new InvalidOperationException(string.Join("; ", _waiting.Select(w => $"{w.Key} waits: {w.Value}")));
    }
}
