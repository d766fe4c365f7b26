using System.Diagnostics;
using System.Text;
using Commerce.Core.Database;
using StackExchange.Redis;

namespace Commerce.Core.Outbox;

/// <summary>Adds messages to the outbox and wakes the relay.</summary>
public sealed class OutboxWriter(IConnectionMultiplexer redis)
{
    const string Insert = """
        INSERT INTO outbox (shard, topic, message_key, message_id, payload, traceparent)
        VALUES (@shard, @Topic, @Key, @Id, @Payload, @traceparent);
        INSERT INTO outbox_waiting (shard, id) VALUES (@shard, LAST_INSERT_ID())
        """;

    /// <summary>The number of shards. One relay at a time sends the rows of a shard.</summary>
    public const int Shards = 16;

    /// <summary>The Redis channel that wakes relays. A lost notification costs a few seconds, because relays also poll.</summary>
    public static RedisChannel WakeChannel { get; } = new("outbox:wake", RedisChannel.PatternMode.Literal);

    /// <summary>Adds a message to the transaction, with the current trace. After the commit call <see cref="Wake"/>.</summary>
    public static Task AddAsync(DbSession transaction, OutboxMessage message) => transaction.ExecuteAsync(Insert, Parameters(message));

    /// <summary>The same for the only message of a transaction, with its COMMIT.</summary>
    public static void AddAtCommit(DbSession transaction, OutboxMessage message) => transaction.AtCommit(Insert, Parameters(message));

    static object Parameters(OutboxMessage message) =>
        new { shard = ShardOf(message.Key), message.Topic, message.Key, message.Id, message.Payload, traceparent = Activity.Current?.Id };

    /// <summary>Wakes the relays. Never fails and never waits.</summary>
    public void Wake()
    {
        try
        {
            redis.GetSubscriber().Publish(WakeChannel, "", CommandFlags.FireAndForget);
        }
        catch (Exception e) when (TransientFaults.IsTransient(e))
        {
            // Redis is away: the relays poll.
        }
    }

    /// <summary>The shard of a key.</summary>
    public static int ShardOf(string key)
    {
        // FNV-1a: stable between processes and versions, unlike string.GetHashCode.
        var hash = 2166136261u;
        foreach (var b in Encoding.ASCII.GetBytes(key)) hash = (hash ^ b) * 16777619u;
        return (int)(hash % Shards);
    }
}
