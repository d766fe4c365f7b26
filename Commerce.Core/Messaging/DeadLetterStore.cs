using System.Globalization;
using System.Text;
using Commerce.Core.Database;
using Confluent.Kafka;

namespace Commerce.Core.Messaging;

/// <summary>A dead letter for administrators.</summary>
/// <param name="Message">The value as text, at most 2,000 characters.</param>
public sealed record DeadLetter(
    long Id, string Topic, int Partition, long Offset, string? Key, string? Message, string Reason, string Detail, DateTime FailedAt, DateTime? ReplayedAt);

/// <summary>A message from a dead-letter topic before it is stored.</summary>
public sealed record ArrivedDeadLetter(string Topic, int Partition, long Offset, byte[]? Key, byte[]? Value, string Reason, string Detail, DateTime FailedAt);

/// <summary>The table <c>dead_letter</c>: a copy of the dead-letter topics, for listing and replay.</summary>
public sealed class DeadLetterStore(MySqlDatabase database, KafkaProducer producer, TimeProvider clock) : IMessageHandler<ArrivedDeadLetter>
{
    const int BatchSize = 1000;

    /// <summary>The sizes of the columns. <see cref="MaxNumber"/> is longer than any number or time.</summary>
    const int MaxTopic = 200, MaxKeyBytes = 512, MaxReason = 64, MaxDetail = 1000, MaxNumber = 40;

    static readonly TimeSpan ReplayDeadline = TimeSpan.FromSeconds(5);

    /// <summary>Lists the newest dead letters with an id below <paramref name="before"/>, at most <paramref name="limit"/>.</summary>
    public Task<IReadOnlyList<DeadLetter>> ListAsync(long? before, int limit, CancellationToken cancellationToken) =>
        database.QueryAsync<DeadLetter>("""
            SELECT id AS Id, topic AS Topic, `partition` AS `Partition`, `offset` AS `Offset`, CONVERT(message_key USING utf8mb4) AS `Key`,
                   LEFT(CONVERT(message USING utf8mb4), 2000) AS Message, reason AS Reason, detail AS Detail, failed_at AS FailedAt, replayed_at AS ReplayedAt
            FROM dead_letter WHERE @before IS NULL OR id < @before ORDER BY id DESC LIMIT @limit
            """, new { before, limit }, cancellationToken);

    /// <summary>
    /// Publishes a dead letter to its topic again. Returns false if it does not exist. Repeated calls are safe, because every handler is
    /// idempotent.
    /// </summary>
    /// <exception cref="KafkaException">The brokers do not have the message.</exception>
    public async Task<bool> ReplayAsync(long id, CancellationToken cancellationToken)
    {
        var letter = await database.SingleAsync<StoredValue>(
            "SELECT topic AS Topic, message_key AS MessageKey, message AS Message FROM dead_letter WHERE id = @id", new { id }, cancellationToken);
        if (letter is null) return false;
        await producer.ProduceAsync(letter.Topic, new Message<string?, byte[]?>
        {
            Key = letter.MessageKey is null ? null : Encoding.UTF8.GetString(letter.MessageKey),
            Value = letter.Message,
        }, cancellationToken).WaitAsync(ReplayDeadline, clock, cancellationToken);
        await database.ExecuteAsync("UPDATE dead_letter SET replayed_at = UTC_TIMESTAMP(6) WHERE id = @id", new { id }, cancellationToken);
        return true;
    }

    /// <summary>
    /// Deletes old dead letters, replayed or not, and returns their number. Those of promised coupons, and of paid orders whose stock is
    /// not deducted, are kept.
    /// </summary>
    public async Task<int> PurgeAsync(TimeSpan keep, CancellationToken cancellationToken)
    {
        var deleted = 0;
        // The scan starts at the oldest row and stops at the first page that is too young, as in the outbox.
        for (var after = 0L; ;)
        {
            var page = await database.QueryAsync<(long Id, long Old, long Owed)>("""
                SELECT d.id, CAST(d.failed_at < UTC_TIMESTAMP(6) - INTERVAL @seconds SECOND AS SIGNED), CAST(COALESCE(CASE d.topic
                  WHEN 'ORDER_PLACED' THEN EXISTS (
                    SELECT 1 FROM order_announcement a WHERE a.order_id = CONVERT(d.message_key USING ascii) AND a.dead_at IS NOT NULL)
                  WHEN 'COUPON_ISSUED' THEN JSON_VALID(CONVERT(d.message USING utf8mb4)) AND EXISTS (
                    SELECT 1 FROM coupon_issue_failure f WHERE f.coupon_id = JSON_VALUE(CONVERT(d.message USING utf8mb4), '$.couponId' RETURNING SIGNED)
                      AND f.user_id = JSON_VALUE(CONVERT(d.message USING utf8mb4), '$.userId') AND f.reason = 'DEAD_LETTERED')
                  END, FALSE) AS SIGNED)
                FROM dead_letter d WHERE d.id > @after ORDER BY d.id LIMIT @BatchSize
                """, new { after, seconds = (long)keep.TotalSeconds, BatchSize }, cancellationToken);
            var ids = page.Where(l => l is { Old: 1, Owed: not 1 }).Select(l => l.Id).ToArray();
            if (ids.Length > 0) deleted += await database.ExecuteAsync("DELETE FROM dead_letter WHERE id IN @ids", new { ids }, cancellationToken);
            if (page.Count < BatchSize || page[^1].Old == 0) return deleted;
            after = page[^1].Id;
        }
    }

    /// <summary>
    /// Reads any message of a dead-letter topic, truncated to the size of the columns. It never fails, because a dead letter has nowhere
    /// else to go.
    /// </summary>
    public string? Read(ConsumeResult<string?, byte[]?> source, out ArrivedDeadLetter message)
    {
        var headers = source.Message.Headers;
        message = new(
            Header(DeadLetterHeaders.Topic, MaxTopic) ?? source.Topic[..^Topics.DeadLetters("").Length],
            int.TryParse(Header(DeadLetterHeaders.Partition, MaxNumber), CultureInfo.InvariantCulture, out var partition) ? partition : source.Partition.Value,
            long.TryParse(Header(DeadLetterHeaders.Offset, MaxNumber), CultureInfo.InvariantCulture, out var offset) ? offset : source.Offset.Value,
            source.Message.Key is { } key ? [.. Encoding.UTF8.GetBytes(key).Take(MaxKeyBytes)] : null,
            source.Message.Value,
            Header(DeadLetterHeaders.Reason, MaxReason) ?? DeadLetterReasons.Unreadable,
            Header(DeadLetterHeaders.Detail, MaxDetail) ?? "",
            DateTime.TryParse(Header(DeadLetterHeaders.FailedAt, MaxNumber), CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal, out var at) && at.Year is > 1970 and < 9999
                ? at : source.Message.Timestamp.UtcDateTime);
        return null;

        string? Header(string name, int limit)
        {
            if (headers?.TryGetLastBytes(name, out var bytes) != true || bytes is null) return null;
            var text = Encoding.UTF8.GetString(bytes);
            return text.Length > limit ? text[..limit] : text;
        }
    }

    /// <inheritdoc/>
    public async Task HandleAsync(IReadOnlyList<Received<ArrivedDeadLetter>> batch, CancellationToken cancellationToken)
    {
        foreach (var (letter, _) in batch)
            await database.ExecuteInTransactionAsync(async transaction =>
            {
                await transaction.ExecuteAsync("""
                    INSERT IGNORE INTO dead_letter (topic, `partition`, `offset`, message_key, message, reason, detail, failed_at)
                    VALUES (@Topic, @Partition, @Offset, @Key, @Value, @Reason, @Detail, @FailedAt)
                    """, letter);
                // A paid order is not announced again while its message is a dead letter, because an administrator must look at it first.
                // If another copy of the message was processed meanwhile, the order does not wait.
                return letter.Topic == Topics.OrderPlaced ? await transaction.ExecuteAsync("""
                    INSERT INTO order_announcement (order_id, dead_at)
                    SELECT id, UTC_TIMESTAMP(6) FROM orders WHERE id = CONVERT(@Key USING ascii) AND status = 'PAID' AND holding FOR UPDATE
                    ON DUPLICATE KEY UPDATE dead_at = UTC_TIMESTAMP(6)
                    """, letter) : 0;
            }, cancellationToken);
    }

    /// <inheritdoc/>
    public Task OnDeadLetterAsync(ArrivedDeadLetter message, CancellationToken cancellationToken) => Task.CompletedTask;

    sealed record StoredValue(string Topic, byte[]? MessageKey, byte[]? Message);
}
