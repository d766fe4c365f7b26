using Confluent.Kafka;

namespace Commerce.ServiceDefaults;

/// <summary>
/// The admin client of the process. There is one, on the producer's connections, because each starts a thread. It ends before the producer does, and only
/// when nobody asks any more: a client that is freed while a thread uses it corrupts the memory of the process.
/// </summary>
/// <remarks>
/// Do not ask it for the offsets of a consumer group: where the group's coordinator is away, or still loads, librdkafka 2.16 takes the answer for one of a
/// consumer, and the process ends (SIGSEGV).
/// </remarks>
public sealed class KafkaAdmin(IProducer<string?, byte[]?> producer) : IDisposable
{
    readonly IAdminClient _client = new DependentAdminClientBuilder(producer.Handle).Build();
    int _calls;
    volatile bool _ended;

    /// <summary>What the brokers say of all topics.</summary>
    /// <exception cref="KafkaException">They cannot be reached.</exception>
    public Task<Metadata> DescribeTopicsAsync(TimeSpan within, CancellationToken cancellationToken) =>
        AskAsync(client => Task.Run(() => client.GetMetadata(within)), cancellationToken);

    /// <summary>What the brokers say of a topic.</summary>
    /// <exception cref="KafkaException">They cannot be reached.</exception>
    public async Task<TopicMetadata> DescribeTopicAsync(string topic, TimeSpan within, CancellationToken cancellationToken) =>
        (await AskAsync(client => Task.Run(() => client.GetMetadata(topic, within)), cancellationToken)).Topics.Single(t => t.Topic == topic);

    /// <summary>Asks the brokers something else.</summary>
    /// <param name="ask">Must end within seconds. After a cancellation it goes on, and nobody waits for it.</param>
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
