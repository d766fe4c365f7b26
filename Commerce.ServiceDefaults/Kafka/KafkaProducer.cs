using Confluent.Kafka;

namespace Commerce.ServiceDefaults;

/// <summary>
/// The producer of the process, and the admin client on its connections. (Each client starts threads, so they share one.) Both can be
/// replaced while they are in use. This is necessary if a topic was created again: a client remembers the highest epoch of each
/// leader and ignores metadata with a lower one, so it would send messages to the old leaders. Replaced clients are disposed of after
/// their last call, because an earlier disposal corrupts the memory of the process.
/// </summary>
/// <param name="build">Creates a producer.</param>
public sealed class KafkaProducer(Func<IProducer<string?, byte[]?>> build) : IDisposable
{
    readonly Lock _replacing = new();
    Clients _clients = new(build());
    List<Task> _ended = [];
    bool _isDisposed;

    /// <summary>Sends a message to any partition. Returns when the brokers have it.</summary>
    /// <exception cref="ProduceException{TKey,TValue}">The brokers do not have the message.</exception>
    public Task<DeliveryResult<string?, byte[]?>> ProduceAsync(string topic, Message<string?, byte[]?> message, CancellationToken cancellationToken = default) =>
        UseAsync(clients => clients.Producer.ProduceAsync(topic, message, cancellationToken));

    /// <summary>Sends a message to a partition. Returns when the brokers have it.</summary>
    /// <exception cref="ProduceException{TKey,TValue}">The brokers do not have the message.</exception>
    public Task<DeliveryResult<string?, byte[]?>> ProduceAsync(TopicPartition partition, Message<string?, byte[]?> message, CancellationToken cancellationToken = default) =>
        UseAsync(clients => clients.Producer.ProduceAsync(partition, message, cancellationToken));

    /// <summary>Sends another request to the brokers.</summary>
    public Task<T> AskAsync<T>(Func<IAdminClient, Task<T>> ask) => UseAsync(clients => ask(clients.Admin));

    /// <summary>Replaces the clients. Running calls of the old ones are completed.</summary>
    public void Renew()
    {
        lock (_replacing)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            var before = _clients;
            Volatile.Write(ref _clients, new(build()));
            _ended = [.. _ended.Where(ended => !ended.IsCompleted), before.Ended];
            before.EndUse();
        }
    }

    /// <summary>Waits for the last call.</summary>
    public void Dispose()
    {
        lock (_replacing)
        {
            if (!_isDisposed) _clients.EndUse();
            _isDisposed = true;
        }

        Task.WaitAll([.. _ended, _clients.Ended]);
    }

    async Task<T> UseAsync<T>(Func<Clients, Task<T>> use)
    {
        var clients = Volatile.Read(ref _clients);
        while (!clients.TryUse())
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            clients = Volatile.Read(ref _clients);
        }

        try
        {
            return await use(clients);
        }
        finally
        {
            clients.EndUse();
        }
    }

    sealed class Clients(IProducer<string?, byte[]?> producer)
    {
        readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>The number of running calls, plus one while the clients are the current ones.</summary>
        int _uses = 1;

        public IProducer<string?, byte[]?> Producer => producer;

        public IAdminClient Admin { get; } = new DependentAdminClientBuilder(producer.Handle).Build();

        public Task Ended => _ended.Task;

        public bool TryUse()
        {
            var uses = Volatile.Read(ref _uses);
            while (uses > 0)
            {
                var found = Interlocked.CompareExchange(ref _uses, uses + 1, uses);
                if (found == uses) return true;
                uses = found;
            }

            return false;
        }

        public void EndUse()
        {
            // The disposal runs on another thread, because this one may belong to the client.
            if (Interlocked.Decrement(ref _uses) == 0) _ = Task.Run(End);
        }

        void End()
        {
            try
            {
                Admin.Dispose();
                producer.Dispose();
            }
            finally
            {
                _ended.SetResult();
            }
        }
    }
}
