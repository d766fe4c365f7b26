using Confluent.Kafka;

namespace Commerce.Core.Messaging;

/// <summary>
/// Compares a consumer with what the brokers say, and notes its lag. It finds two kinds of clients that wait for ever: one whose brokers came back as
/// another cluster, because it waits for the later leader epochs of the old one, and one that stopped fetching a partition, as librdkafka may after a
/// restart of the broker (confluentinc/librdkafka#4492).
/// </summary>
/// <remarks>Used by one thread. It asks periodically and does not wait for the answer; brokers that are away give none.</remarks>
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

    string? _cluster;
    Task<Answer>? _asking;
    long _asked, _emptied;

    /// <summary>Another cluster answers than before.</summary>
    public bool IsAnotherCluster { get; private set; }

    /// <summary>A partition that the client no longer fetches.</summary>
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
        _asking = AskAsync(consumer.Assignment, stop);
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
        (IsAnotherCluster, Stalled) = (false, null);
    }

    async Task<Answer> AskAsync(List<TopicPartition> partitions, CancellationToken stop)
    {
        var cluster = await admin.ClusterIdAsync(Timeout, stop);
        return new(cluster, partitions.Count == 0 ? null : await EndsAsync(partitions, stop));
    }

    /// <summary>Null if a partition has no leader: what the brokers are is said all the same.</summary>
    async Task<IReadOnlyDictionary<TopicPartition, long>?> EndsAsync(List<TopicPartition> partitions, CancellationToken stop)
    {
        try
        {
            return await admin.EndsAsync(partitions, Timeout, stop);
        }
        catch (KafkaException)
        {
            return null;
        }
    }

    void Compare(IConsumer<string?, byte[]?> consumer, int inHand, Answer answer)
    {
        IsAnotherCluster |= _cluster is not null && _cluster != answer.Cluster;
        _cluster = answer.Cluster;
        if (answer.Ends is not { } ends) return;
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

    /// <param name="Cluster">The id of the cluster.</param>
    /// <param name="Ends">The offset after the last message, by partition. Null without an answer.</param>
    sealed record Answer(string Cluster, IReadOnlyDictionary<TopicPartition, long>? Ends);
}
