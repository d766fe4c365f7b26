using System.Diagnostics;
using System.Globalization;
using System.Text;
using Commerce.Core.Database;
using Dapper;
using StackExchange.Redis;
using CommandFlags = StackExchange.Redis.CommandFlags;

namespace Commerce.Core.Outbox;

/// <summary>Adds messages to the outbox and wakes the relay.</summary>
public sealed class OutboxWriter(IConnectionMultiplexer redis)
{
    /// <summary>The number of shards. Only one relay at a time sends the rows of a shard.</summary>
    public const int Shards = 16;

    /// <summary>The Redis channel that wakes relays. A lost notification costs a few seconds, because relays also poll.</summary>
    public static RedisChannel WakeChannel { get; } = new("outbox:wake", RedisChannel.PatternMode.Literal);

    /// <summary>Adds a message to the transaction, with the current trace. Call <see cref="Wake"/> after the commit.</summary>
    public static Task AddAsync(DbSession transaction, OutboxMessage message)
    {
        var (sql, parameters) = Insert([message]);
        return transaction.ExecuteAsync(sql, parameters);
    }

    /// <summary>Adds all messages of a transaction with its COMMIT.</summary>
    public static void AddAtCommit(DbSession transaction, IReadOnlyList<OutboxMessage> messages)
    {
        var (sql, parameters) = Insert(messages);
        transaction.AtCommit(sql, parameters);
    }

    /// <summary>Returns two statements for any number of messages. MySQL gives the rows of one INSERT consecutive ids.</summary>
    static (string Sql, DynamicParameters Parameters) Insert(IReadOnlyList<OutboxMessage> messages)
    {
        var parameters = new DynamicParameters(new { traceparent = Activity.Current?.Id });
        var (rows, waiting) = (new StringBuilder(), new StringBuilder());
        for (var i = 0; i < messages.Count; i++)
        {
            var (message, comma) = (messages[i], i == 0 ? "" : ", ");
            var shard = ShardOf(message.Key);
            rows.Append(CultureInfo.InvariantCulture, $"{comma}({shard}, @topic{i}, @key{i}, @messageId{i}, @payload{i}, @traceparent)");
            waiting.Append(CultureInfo.InvariantCulture, $"{comma}({shard}, LAST_INSERT_ID() + {i} * @@auto_increment_increment)");
            parameters.Add($"topic{i}", message.Topic);
            parameters.Add($"key{i}", message.Key);
            parameters.Add($"messageId{i}", message.Id);
            parameters.Add($"payload{i}", message.Payload);
        }

        return ($"""
            INSERT INTO outbox (shard, topic, message_key, message_id, payload, traceparent) VALUES {rows};
            INSERT INTO outbox_waiting (shard, id) VALUES {waiting}
            """, parameters);
    }

    /// <summary>Wakes the relays. It never fails and never waits.</summary>
    public void Wake()
    {
        try
        {
            redis.GetSubscriber().Publish(WakeChannel, "", CommandFlags.FireAndForget);
        }
        catch (Exception e) when (TransientFaults.IsTransient(e))
        {
            // Redis is unavailable. The relays poll.
        }
    }

    /// <summary>Returns the shard of a key.</summary>
    public static int ShardOf(string key)
    {
        // FNV-1a is the same in all processes and versions, unlike string.GetHashCode.
        var hash = 2166136261u;
        foreach (var b in Encoding.ASCII.GetBytes(key)) hash = (hash ^ b) * 16777619u;
        return (int)(hash % Shards);
    }
}
