
namespace Commerce.Core.Outbox;

/// <summary>The topics that reject all messages now, each with the time of its next attempt. It is not thread-safe.</summary>
sealed class HeldTopics(RetryPolicy waits, TimeProvider clock)
{
    readonly Dictionary<string, Topic> _topics = new(StringComparer.Ordinal);

    /// <summary>Lists the topics whose next attempt is not due.</summary>
    public IReadOnlyCollection<string> List() => [.. _topics.Where(t => clock.GetElapsedTime(t.Value.Since) < t.Value.For).Select(t => t.Key)];

    /// <summary>Holds a topic. Returns the number of consecutive holds, and the delay until the next attempt.</summary>
    public (int Attempt, TimeSpan Delay) Hold(string topic)
    {
        var attempt = _topics.GetValueOrDefault(topic).Attempt + 1;
        var delay = waits.Delay(attempt);
        _topics[topic] = new(attempt, clock.GetTimestamp(), delay);
        return (attempt, delay);
    }

    /// <summary>Releases a topic that accepts messages again. Returns false if it was not held.</summary>
    public bool Release(string topic) => _topics.Remove(topic);

    readonly record struct Topic(int Attempt, long Since, TimeSpan For);
}
