using System.Globalization;
using System.Text;
using Commerce.Core.Database;
using Confluent.Kafka;

namespace Commerce.Core.Messaging;

/// <summary>A message that could not be handled, as people see it.</summary>
/// <param name="Message">Its value as text, at most 2,000 characters.</param>
public sealed record DeadLetter(
    long Id, string Topic, int Partition, long Offset, string? Key, string? Message, string Reason, string Detail, DateTime FailedAt, DateTime? ReplayedAt);

/// <summary>A message from a dead-letter topic on its way into the table.</summary>
public sealed record ArrivedDeadLetter(string Topic, int Partition, long Offset, byte[]? Key, byte[]? Value, string Reason, string Detail, DateTime FailedAt);

/// <summary>
/// The table <c>dead_letter</c>: what arrives in the dead-letter topics is copied there, so that people can list it and send it back.
/// </summary>
public sealed class DeadLetterStore(Ledger ledger, IProducer<string?, byte[]?> producer, TimeProvider clock) : IMessageHandler<ArrivedDeadLetter>
{
    static readonly TimeSpan ReplayDeadline = TimeSpan.FromSeconds(5);

    /// <summary>The newest, at most <paramref name="most"/>, before the one with the id <paramref name="before"/>.</summary>
    public Task<IReadOnlyList<DeadLetter>> ListAsync(long? before, int most, CancellationToken cancellationToken) =>
        ledger.QueryAsync<DeadLetter>("""
            SELECT id AS Id, topic AS Topic, `partition` AS `Partition`, `offset` AS `Offset`, CONVERT(message_key USING utf8mb4) AS `Key`,
                   LEFT(CONVERT(message USING utf8mb4), 2000) AS Message, reason AS Reason, detail AS Detail, failed_at AS FailedAt, replayed_at AS ReplayedAt
            FROM dead_letter WHERE @before IS NULL OR id < @before ORDER BY id DESC LIMIT @most
            """, new { before, most }, cancellationToken);

    /// <summary>Sends one back to its topic; false where there is none of this id. Safe to repeat, as every handler is.</summary>
    /// <exception cref="KafkaException">The brokers do not have it.</exception>
    public async Task<bool> ReplayAsync(long id, CancellationToken cancellationToken)
    {
        var letter = await ledger.SingleAsync<StoredValue>(
            "SELECT topic AS Topic, message_key AS MessageKey, message AS Message FROM dead_letter WHERE id = @id", new { id }, cancellationToken);
        if (letter is null) return false;
        await producer.ProduceAsync(letter.Topic, new Message<string?, byte[]?>
        {
            Key = letter.MessageKey is null ? null : Encoding.UTF8.GetString(letter.MessageKey),
            Value = letter.Message,
        }, cancellationToken).WaitAsync(ReplayDeadline, clock, cancellationToken);
        await ledger.ExecuteAsync("UPDATE dead_letter SET replayed_at = UTC_TIMESTAMP(6) WHERE id = @id", new { id }, cancellationToken);
        return true;
    }

    /// <inheritdoc/>
    public string? Read(ConsumeResult<string?, byte[]?> source, out ArrivedDeadLetter message)
    {
        var headers = source.Message.Headers;
        message = new(
            Header(DeadLetterHeaders.Topic) ?? source.Topic[..^Topics.DeadLetters("").Length],
            int.TryParse(Header(DeadLetterHeaders.Partition), CultureInfo.InvariantCulture, out var partition) ? partition : source.Partition.Value,
            long.TryParse(Header(DeadLetterHeaders.Offset), CultureInfo.InvariantCulture, out var offset) ? offset : source.Offset.Value,
            source.Message.Key is { } key ? Encoding.UTF8.GetBytes(key) : null,
            source.Message.Value,
            Header(DeadLetterHeaders.Reason) ?? DeadLetterReasons.Unreadable,
            Header(DeadLetterHeaders.Detail) ?? "",
            DateTime.TryParse(Header(DeadLetterHeaders.FailedAt), CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal, out var at)
                ? at : source.Message.Timestamp.UtcDateTime);
        return null;

        string? Header(string name) => headers?.TryGetLastBytes(name, out var bytes) == true ? Encoding.UTF8.GetString(bytes) : null;
    }

    /// <inheritdoc/>
    public async Task HandleAsync(IReadOnlyList<Received<ArrivedDeadLetter>> batch, CancellationToken cancellationToken)
    {
        foreach (var (letter, _) in batch)
            await ledger.ExecuteAsync("""
                INSERT IGNORE INTO dead_letter (topic, `partition`, `offset`, message_key, message, reason, detail, failed_at)
                VALUES (@Topic, @Partition, @Offset, @Key, @Value, @Reason, @Detail, @FailedAt)
                """, letter, cancellationToken);
    }

    /// <inheritdoc/>
    public Task OnDeadLetterAsync(ArrivedDeadLetter message, CancellationToken cancellationToken) => Task.CompletedTask;

    sealed record StoredValue(string Topic, byte[]? MessageKey, byte[]? Message);
}
