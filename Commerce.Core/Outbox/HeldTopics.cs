
namespace Commerce.Core.Outbox;

/// <summary>The topics that take nothing at the moment, each with the time at which it is tried again. Used by one caller at a time.</summary>
sealed class HeldTopics(RetryPolicy waits, TimeProvider clock)
{
    readonly Dictionary<string, Topic> _topics = new(StringComparer.Ordinal);

    /// <summary>Those that are not to be tried yet.</summary>
    public IReadOnlyCollection<string> List() => [.. _topics.Where(t => clock.GetElapsedTime(t.Value.Since) < t.Value.For).Select(t => t.Key)];

    /// <summary>Holds a topic; returns how often in a row that has happened, and for how long it is held.</summary>
    public (int Attempt, TimeSpan Delay) Hold(string topic)
    {
        var attempt = _topics.GetValueOrDefault(topic).Attempt + 1;
        var delay = waits.Delay(attempt);
        _topics[topic] = new(attempt, clock.GetTimestamp(), delay);
        return (attempt, delay);
    }

    /// <summary>Forgets a topic that takes messages; false where it always did.</summary>
    public bool Release(string topic) => _topics.Remove(topic);

    readonly record struct Topic(int Attempt, long Since, TimeSpan For);
}
