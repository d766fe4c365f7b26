using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace Commerce.ServiceDefaults;

/// <summary>
/// The admin client of the process. There is one, on the producer's connections, because each starts a thread. It is disposed before the producer, after
/// its last call: disposing of a client in use corrupts the memory of the process.
/// </summary>
/// <remarks>
/// Never query the offsets of a consumer group with it: if the group's coordinator is away or still loading, librdkafka 2.16 handles the answer as a
/// consumer's, and the process crashes (SIGSEGV).
/// </remarks>
public sealed class KafkaAdmin(IProducer<string?, byte[]?> producer) : IDisposable
{
    readonly IAdminClient _client = new DependentAdminClientBuilder(producer.Handle).Build();
    int _calls;
    volatile bool _ended;

    /// <summary>The brokers' metadata of all topics.</summary>
    /// <exception cref="KafkaException">The brokers cannot be reached.</exception>
    public Task<Metadata> DescribeTopicsAsync(TimeSpan within, CancellationToken cancellationToken) =>
        AskAsync(client => Task.Run(() => client.GetMetadata(within)), cancellationToken);

    /// <summary>The configuration of a topic.</summary>
    /// <exception cref="KafkaException">The brokers cannot be reached.</exception>
    public async Task<TopicMetadata> DescribeTopicAsync(string topic, TimeSpan within, CancellationToken cancellationToken) =>
        (await AskAsync(client => Task.Run(() => client.GetMetadata(topic, within)), cancellationToken)).Topics.Single(t => t.Topic == topic);

    /// <summary>The id of the cluster: it is created with the first log of the brokers.</summary>
    /// <exception cref="KafkaException">The brokers cannot be reached.</exception>
    public async Task<string> ClusterIdAsync(TimeSpan within, CancellationToken cancellationToken) =>
        (await AskAsync(client => client.DescribeClusterAsync(new() { RequestTimeout = within }), cancellationToken)).ClusterId;

    /// <summary>The offset after the last message of each partition.</summary>
    /// <exception cref="KafkaException">The brokers cannot be reached, or have no leader of a partition.</exception>
    public async Task<IReadOnlyDictionary<TopicPartition, long>> EndsAsync(IEnumerable<TopicPartition> partitions, TimeSpan within, CancellationToken cancellationToken)
    {
        var specs = partitions.Select(p => new TopicPartitionOffsetSpec { TopicPartition = p, OffsetSpec = OffsetSpec.Latest() }).ToList();
        var result = await AskAsync(client => client.ListOffsetsAsync(specs, new() { RequestTimeout = within }), cancellationToken);
        return result.ResultInfos.ToDictionary(i => i.TopicPartitionOffsetError.TopicPartition, i => i.TopicPartitionOffsetError.Offset.Value);
    }

    /// <summary>Sends another request to the brokers.</summary>
    /// <param name="ask">Must end within seconds. A cancellation does not stop it.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public Task<T> AskAsync<T>(Func<IAdminClient, Task<T>> ask, CancellationToken cancellationToken) => CountedAsync(ask).WaitAsync(cancellationToken);

    /// <inheritdoc/>
    public void Dispose()
    {
        _ended = true;
        SpinWait.SpinUntil(() => Volatile.Read(ref _calls) == 0);
        _client.Dispose();
    }

    async Task<T> CountedAsync<T>(Func<IAdminClient, Task<T>> ask)
    {
        Interlocked.Increment(ref _calls);
        try
        {
            ObjectDisposedException.ThrowIf(_ended, this);
            return await ask(_client);
        }
        finally
        {
            Interlocked.Decrement(ref _calls);
        }
    }
}
