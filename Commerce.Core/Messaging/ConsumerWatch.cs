using Confluent.Kafka;

namespace Commerce.Core.Messaging;

/// <summary>
/// Compares a consumer with the brokers' state, and reports its lag. It detects a client that has stopped fetching a partition, which
/// can happen in librdkafka after a restart of the broker (confluentinc/librdkafka#4492).
/// </summary>
/// <remarks>
/// One thread uses it. It queries the brokers periodically and does not wait for the answer. Brokers that are unavailable give no
/// answer.
/// </remarks>
sealed class ConsumerWatch(string topic, KafkaAdmin admin, ConsumerLag lag, TimeProvider clock)
{
    /// <summary>
    /// The time after which a partition counts as stalled. It is many times the duration of a fetch that waits for its first message (0.5
    /// s), and longer than a group's session (6 s).
    /// </summary>
    static readonly TimeSpan StallLimit = TimeSpan.FromSeconds(15);

    static readonly TimeSpan Interval = TimeSpan.FromSeconds(2);

    static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    /// <summary>Partitions with unread messages, each with its position and the time since when the position has not moved.</summary>
    readonly Dictionary<TopicPartition, (long Position, long Since)> _behind = [];

    Task<IReadOnlyDictionary<TopicPartition, long>>? _asking;
    long _asked, _emptied;

    /// <summary>A partition that the client no longer fetches, or null.</summary>
    public TopicPartition? Stalled { get; private set; }

    /// <summary>Evaluates the brokers' last answer, and queries them again when it is time.</summary>
    /// <param name="consumer">The consumer.</param>
    /// <param name="inHand">The number of messages that the consumer has read and not processed.</param>
    /// <param name="stop">Cancels the query.</param>
    public void Look(IConsumer<string?, byte[]?> consumer, int inHand, CancellationToken stop)
    {
        if (_asking is { IsCompleted: true } answered)
        {
            _asking = null;
            if (answered.IsCompletedSuccessfully) Compare(consumer, inHand, answered.GetAwaiter().GetResult());
        }

        if (_asking is not null || (_asked != 0 && clock.GetElapsedTime(_asked) < Interval)) return;
        _asked = clock.GetTimestamp();
        if (consumer.Assignment is { Count: > 0 } partitions) _asking = admin.EndsAsync(partitions, Timeout, stop);
    }

    /// <summary>Records that the client's queue has no message now.</summary>
    public void NoteEmpty() => _emptied = clock.GetTimestamp();

    /// <summary>Forgets the state of a consumer that ends.</summary>
    public void Forget()
    {
        lag.Forget(topic);
        _behind.Clear();
        // The answer would be about the partitions of the old consumer.
        _asking = null;
        Stalled = null;
    }

    void Compare(IConsumer<string?, byte[]?> consumer, int inHand, IReadOnlyDictionary<TopicPartition, long> ends)
    {
        try
        {
            var waiting = 0L;
            foreach (var partition in consumer.Assignment)
            {
                if (!ends.TryGetValue(partition, out var end)) continue;
                // The position is negative until a message was read. Messages before the start of the fetch count as read.
                var position = consumer.Position(partition).Value;
                if (position < 0) position = Math.Max(0, consumer.GetWatermarkOffsets(partition).High.Value);
                waiting += Math.Max(0, end - position);
                if (end <= position) _behind.Remove(partition);
                else if (!_behind.TryGetValue(partition, out var before) || before.Position != position) _behind[partition] = (position, clock.GetTimestamp());
                else if (clock.GetElapsedTime(before.Since, _emptied) > StallLimit) Stalled = partition;
            }

            lag.Note(topic, inHand + waiting);
        }
        catch (KafkaException)
        {
            // A partition has just moved. The next answer shows whether it stalls.
        }
    }
}
