using System.Diagnostics;
using System.Text;
using Commerce.Core.Database;
using Commerce.Core.Messaging;
using Commerce.Core.Outbox;
using Confluent.Kafka;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests;

/// <summary>Writes to the outbox and reads the topic.</summary>
public abstract class OutboxStackTests(CommerceStack stack) : StackTests(stack)
{
    /// <summary>A topic that only these tests use.</summary>
    protected const string Topic = "OUTBOX_TEST";

    /// <inheritdoc/>
    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        await Stack.CreateTopicAsync(Topic);
    }

    protected MySqlDatabase Database => Stack.Services.GetRequiredService<MySqlDatabase>();

    /// <summary>A unique key.</summary>
    protected static string Key(string name) => $"{name}-{Guid.NewGuid():N}";

    /// <summary>
    /// Commits messages of one key in this order, and wakes the relays. Returns the id of the first message, and all ids.
    /// </summary>
    protected async Task<(string First, IReadOnlyList<string> All)> WriteAsync(string key, int count = 1, string topic = Topic, int size = 0)
    {
        var payload = Encoding.ASCII.GetBytes($"\"{new string('x', size)}\"");
        var ids = Enumerable.Range(0, count).Select(_ => Guid.NewGuid().ToString()).ToList();
        await Database.ExecuteInTransactionAsync(async transaction =>
        {
            foreach (var id in ids) await OutboxWriter.AddAsync(transaction, new(topic, key, id, payload));
            return 0;
        }, Cancelled);
        Stack.Services.GetRequiredService<OutboxWriter>().Wake();
        return (ids[0], ids);
    }

    /// <summary>Counts the messages among these that are in a state.</summary>
    protected Task<int> CountAsync(string status, params IEnumerable<string> ids) =>
        Database.SingleAsync<int>(
            $"SELECT COUNT(*) FROM {OutboxStore.Rows} WHERE {OutboxStore.Status} = @status AND o.message_id IN @ids", new { status, ids }, Cancelled);

    /// <summary>Waits until all of these messages are sent.</summary>
    protected async Task SentAsync(params IReadOnlyCollection<string> ids) =>
        await Eventually.EqualAsync(ids.Count, () => CountAsync("SENT", ids), TimeSpan.FromMinutes(2));

    /// <summary>Simulates a first rejection by the brokers, with the next attempt in an hour.</summary>
    protected Task RefuseAsync(string id) => Database.ExecuteInTransactionAsync(async transaction =>
    {
        await transaction.ExecuteAsync("""
            INSERT INTO outbox_refused (id, shard, attempts, next_attempt_at, last_error)
            SELECT id, shard, 1, UTC_TIMESTAMP(6) + INTERVAL 1 HOUR, 'refused' FROM outbox WHERE message_id = @id
            """, new { id });
        return await transaction.ExecuteAsync("DELETE w FROM outbox_waiting w JOIN outbox o ON o.id = w.id WHERE o.message_id = @id", new { id });
    }, Cancelled);

    /// <summary>Changes the record of a rejected message.</summary>
    protected Task ChangeRefusedAsync(string id, string change) => Database.ExecuteAsync(
        $"UPDATE outbox_refused r JOIN outbox o ON o.id = r.id SET {change} WHERE o.message_id = @id", new { id }, Cancelled);

    /// <summary>Starts reading a topic.</summary>
    protected TopicTail Listen() => new(Stack, Topic);
}

/// <summary>Reads one topic, without a group, from its current end.</summary>
public sealed class TopicTail : IDisposable
{
    static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);

    readonly IConsumer<string?, byte[]?> _consumer;
    readonly List<ConsumeResult<string?, byte[]?>> _read = [];

    public TopicTail(CommerceStack stack, string topic)
    {
        _consumer = new ConsumerBuilder<string?, byte[]?>(new ConsumerConfig
        {
            BootstrapServers = stack.Kafka, GroupId = "tail", EnableAutoCommit = false, FetchWaitMaxMs = 10, ReconnectBackoffMaxMs = 500,
        }).SetLogHandler((_, _) => { }).Build();
        using var admin = new DependentAdminClientBuilder(_consumer.Handle).Build();
        _consumer.Assign(admin.GetMetadata(topic, Deadline).Topics.Single().Partitions.Select(p =>
        {
            var at = new TopicPartition(topic, p.PartitionId);
            return new TopicPartitionOffset(at, EndOf(at));
        }));
    }

    /// <summary>Returns the end of a partition. A broker that has just started does not lead its partitions at once.</summary>
    Offset EndOf(TopicPartition partition)
    {
        for (var start = Stopwatch.GetTimestamp(); ;)
        {
            try
            {
                return _consumer.QueryWatermarkOffsets(partition, Deadline).High;
            }
            catch (KafkaException e) when (!e.Error.IsFatal && Stopwatch.GetElapsedTime(start) < Deadline)
            {
                // Nothing is assigned yet, so this call only waits.
                _consumer.Consume(TimeSpan.FromMilliseconds(100));
            }
        }
    }

    /// <summary>Waits until at least this many messages are received, and returns them.</summary>
    public IReadOnlyList<ConsumeResult<string?, byte[]?>> Await(int count)
    {
        var start = Stopwatch.GetTimestamp();
        while (_read.Count < count)
        {
            if (Read(TimeSpan.FromMilliseconds(100)) is null && Stopwatch.GetElapsedTime(start) > Deadline)
                Assert.Fail($"{_read.Count} of {count} messages after {Deadline.TotalSeconds:F0} s.");
        }

        return _read;
    }

    /// <summary>Returns the ids of the received messages up to this id.</summary>
    public IReadOnlyList<string?> IdsUntil(string id)
    {
        var start = Stopwatch.GetTimestamp();
        while (!Ids.Contains(id))
        {
            if (Read(TimeSpan.FromMilliseconds(100)) is null && Stopwatch.GetElapsedTime(start) > Deadline)
                Assert.Fail($"{id} is not among {_read.Count} messages after {Deadline.TotalSeconds:F0} s.");
        }

        return [.. Ids];
    }

    /// <inheritdoc/>
    public void Dispose() => _consumer.Dispose();

    IEnumerable<string?> Ids => _read.Select(r => MessageId.Of(r.Message.Headers));

    ConsumeResult<string?, byte[]?>? Read(TimeSpan patience)
    {
        try
        {
            if (_consumer.Consume(patience) is not { } result) return null;
            _read.Add(result);
            return result;
        }
        catch (ConsumeException e) when (!e.Error.IsFatal)
        {
            return null;
        }
    }
}
