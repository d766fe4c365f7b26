using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Commerce.Core.Database;

namespace Commerce.Core.Outbox;

/// <summary>A claim of shards: until its lease ends nobody else sends what is in them.</summary>
/// <param name="Token">Of this claim alone: who marks rows under another one comes too late.</param>
public sealed record OutboxClaim(string Token, IReadOnlyList<int> Shards);

/// <summary>A row that is to be sent.</summary>
/// <param name="Attempts">How often the brokers refused it.</param>
/// <param name="Age">Microseconds since it was written, when it was read.</param>
public sealed record OutboxRow(
    long Id, long Shard, string Topic, string Key, string MessageId, byte[] Payload, string? Traceparent, int Attempts, long Age);

/// <summary>A row as people see it.</summary>
/// <param name="Payload">At most 2,000 characters.</param>
/// <param name="Status"><c>PENDING</c>, <c>SENT</c> or <c>DEAD</c>.</param>
/// <param name="Attempts">How often the brokers refused it.</param>
public sealed record OutboxEntry(
    long Id, string Topic, string Key, string MessageId, string? Payload, string Status, int Attempts, string? LastError,
    DateTime CreatedAt, DateTime NextAttemptAt, DateTime? SentAt);

/// <summary>A row that the brokers refused, and what becomes of it.</summary>
public sealed record OutboxRefusal(OutboxRow Row, string Error, bool Dead, TimeSpan Delay);

/// <summary>How the outbox stands.</summary>
/// <param name="OldestAge">Seconds since the oldest row that waits was written.</param>
public sealed record OutboxBacklog(long Pending, double OldestAge, long Dead);

/// <summary>The statements on the tables <c>outbox</c>, <c>outbox_shard</c> and <c>inbox</c>. Time is MySQL's.</summary>
public sealed class OutboxStore(Ledger ledger)
{
    /// <summary>A claim leaves the rest to other relays.</summary>
    const int MostShards = OutboxWriter.Shards / 2;

    const int RowsTogether = 1000;

    /// <summary>The free shards in which something is due, the one that was looked after least recently first.</summary>
    public async Task<IReadOnlyList<int>> ListDueShardsAsync(CancellationToken cancellationToken) =>
        [.. (await ledger.QueryAsync<long>("""
            SELECT CAST(s.shard AS SIGNED) FROM outbox_shard s
            WHERE s.lease_until <= UTC_TIMESTAMP(6) AND (
              (SELECT 1 FROM outbox o FORCE INDEX (outbox_due) WHERE o.status = 'PENDING' AND o.shard = s.shard AND o.attempts = 0 LIMIT 1) IS NOT NULL
              OR (SELECT 1 FROM outbox o FORCE INDEX (outbox_due) WHERE o.status = 'PENDING' AND o.shard = s.shard AND o.attempts > 0
                  AND o.next_attempt_at <= UTC_TIMESTAMP(6) LIMIT 1) IS NOT NULL)
            """, null, cancellationToken)).Select(shard => (int)shard)];

    /// <summary>Claims some of the shards that are still free; null where none is.</summary>
    public Task<OutboxClaim?> ClaimAsync(IReadOnlyList<int> shards, TimeSpan lease, CancellationToken cancellationToken) =>
        ledger.TransactAsync(async transaction =>
        {
            // Who claims at the same moment takes other shards instead of waiting for these.
            var free = await transaction.QueryAsync<long>("""
                SELECT CAST(shard AS SIGNED) FROM outbox_shard WHERE shard IN @shards AND lease_until <= UTC_TIMESTAMP(6)
                ORDER BY lease_until LIMIT @MostShards FOR UPDATE SKIP LOCKED
                """, new { shards, MostShards });
            if (free.Count == 0) return null;
            var token = Guid.NewGuid().ToString();
            await transaction.ExecuteAsync("""
                UPDATE outbox_shard SET token = @token, lease_until = UTC_TIMESTAMP(6) + INTERVAL @microseconds MICROSECOND WHERE shard IN @free
                """, new { token, free, microseconds = (long)lease.TotalMicroseconds });
            return new OutboxClaim(token, [.. free.Select(shard => (int)shard)]);
        }, cancellationToken);

    /// <summary>
    /// What is due in the claimed shards, in the order of the rows. A key of which a row waits for its next attempt is left out: what
    /// follows does not overtake it.
    /// </summary>
    public async Task<IReadOnlyList<OutboxRow>> ListDueAsync(OutboxClaim claim, int most, CancellationToken cancellationToken)
    {
        // The index is forced: the statistics of a table that fills and empties are always wrong.
        var refused = await ledger.QueryAsync<RefusedRow>("""
            SELECT o.id AS Id, o.message_key AS `Key`, CAST(o.next_attempt_at <= UTC_TIMESTAMP(6) AS SIGNED) AS Due
            FROM outbox o FORCE INDEX (outbox_due) WHERE o.status = 'PENDING' AND o.shard IN @Shards AND o.attempts > 0
            """, new { claim.Shards }, cancellationToken);
        var again = refused.Where(r => r.Due == 1).OrderBy(r => r.Id).Take(RowsTogether).Select(r => r.Id).ToHashSet();
        var waiting = refused.Where(r => !again.Contains(r.Id)).Select(r => r.Key).ToHashSet(StringComparer.Ordinal);

        const string columns = """
            o.id AS Id, CAST(o.shard AS SIGNED) AS Shard, o.topic AS Topic, o.message_key AS `Key`, o.message_id AS MessageId, o.payload AS Payload,
            o.traceparent AS Traceparent, o.attempts AS Attempts, TIMESTAMPDIFF(MICROSECOND, o.created_at, UTC_TIMESTAMP(6)) AS Age
            """;
        // In the order of the index, so that nothing is sorted.
        var rows = await ledger.QueryAsync<OutboxRow>($"""
            SELECT {columns} FROM outbox o FORCE INDEX (outbox_due) WHERE o.status = 'PENDING' AND o.shard IN @Shards AND o.attempts = 0
            {(waiting.Count > 0 ? "AND o.message_key NOT IN @waiting" : "")} ORDER BY o.shard, o.id LIMIT @most
            """, new { claim.Shards, waiting, most }, cancellationToken);
        if (again.Count > 0)
            rows = [.. rows, .. await ledger.QueryAsync<OutboxRow>(
                $"SELECT {columns} FROM outbox o WHERE o.id IN @again AND o.message_key NOT IN @waiting", new { again, waiting }, cancellationToken)];
        return [.. rows.OrderBy(r => r.Id)];
    }

    /// <summary>Marks what was sent and what was refused, and gives the shards back.</summary>
    /// <returns>The shards that were still claimed; rows of others are not marked.</returns>
    public Task<IReadOnlyList<int>> MarkAsync(
        OutboxClaim claim, IReadOnlyList<OutboxRow> sent, IReadOnlyList<OutboxRefusal> refused, CancellationToken cancellationToken) =>
        ledger.TransactAsync<IReadOnlyList<int>>(async transaction =>
        {
            // Locked before the rows are touched: from here to the commit nobody else can claim them.
            var held = await transaction.QueryAsync<long>(
                "SELECT CAST(shard AS SIGNED) FROM outbox_shard WHERE shard IN @Shards AND token = @Token ORDER BY shard FOR UPDATE", claim);
            if (held.Count == 0) return [];
            var ids = string.Join(',', sent.Where(r => held.Contains(r.Shard)).Select(r => r.Id.ToString(CultureInfo.InvariantCulture)));
            if (ids.Length > 0)
                await transaction.ExecuteAsync($"UPDATE outbox SET status = 'SENT', sent_at = UTC_TIMESTAMP(6) WHERE id IN ({ids})");
            var rows = refused.Where(r => held.Contains(r.Row.Shard))
                .Select(r => new MarkedRefusal(r.Row.Id, r.Error.Length > 500 ? r.Error[..500] : r.Error, r.Dead ? "DEAD" : "PENDING", (long)r.Delay.TotalMicroseconds))
                .ToArray();
            if (rows.Length > 0)
                await transaction.ExecuteAsync("""
                    UPDATE outbox o JOIN JSON_TABLE(@rows, '$[*]' COLUMNS (
                      id BIGINT PATH '$.Id', error VARCHAR(500) PATH '$.Error', status VARCHAR(8) PATH '$.Status', delay BIGINT PATH '$.Delay')) r ON r.id = o.id
                    SET o.attempts = o.attempts + 1, o.last_error = r.error, o.status = r.status,
                        o.next_attempt_at = UTC_TIMESTAMP(6) + INTERVAL r.delay MICROSECOND
                    """, new { rows = JsonSerializer.Serialize(rows, OutboxJson.Default.MarkedRefusalArray) });
            // Those that had no turn come first the next time.
            var served = sent.Select(r => r.Shard).Distinct().Append(-1);
            await transaction.ExecuteAsync("""
                UPDATE outbox_shard SET token = NULL, lease_until = IF(shard IN @served, UTC_TIMESTAMP(6), '2000-01-01') WHERE shard IN @held
                """, new { served, held });
            return [.. held.Select(shard => (int)shard)];
        }, cancellationToken);

    /// <summary>How much waits, for how long, and how much is dead.</summary>
    public async Task<OutboxBacklog> MeasureAsync(CancellationToken cancellationToken) =>
        (await ledger.SingleAsync<OutboxBacklog>("""
            SELECT (SELECT COUNT(*) FROM outbox WHERE status = 'PENDING') AS Pending,
                   CAST(COALESCE((SELECT TIMESTAMPDIFF(MICROSECOND, created_at, UTC_TIMESTAMP(6)) / 1e6 FROM outbox
                                  WHERE id = (SELECT MIN(id) FROM outbox WHERE status = 'PENDING')), 0) AS DOUBLE) AS OldestAge,
                   (SELECT COUNT(*) FROM outbox WHERE status = 'DEAD') AS Dead
            """, null, cancellationToken))!;

    /// <summary>The newest rows, of one status or of all, at most <paramref name="most"/>, before the one with the id <paramref name="before"/>.</summary>
    public Task<IReadOnlyList<OutboxEntry>> ListAsync(string? status, long? before, int most, CancellationToken cancellationToken) =>
        ledger.QueryAsync<OutboxEntry>("""
            SELECT id AS Id, topic AS Topic, message_key AS `Key`, message_id AS MessageId, LEFT(CONVERT(payload USING utf8mb4), 2000) AS Payload, status AS Status,
                   attempts AS Attempts, last_error AS LastError, created_at AS CreatedAt, next_attempt_at AS NextAttemptAt, sent_at AS SentAt
            FROM outbox WHERE (@status IS NULL OR status = @status) AND (@before IS NULL OR id < @before) ORDER BY id DESC LIMIT @most
            """, new { status, before, most }, cancellationToken);

    /// <summary>Lets a row be sent (again) that is DEAD or SENT; null where there is none of this id, false where it waits already.</summary>
    public async Task<bool?> ReplayAsync(long id, CancellationToken cancellationToken)
    {
        if (await ledger.ExecuteAsync("""
            UPDATE outbox SET status = 'PENDING', attempts = 0, next_attempt_at = UTC_TIMESTAMP(6), sent_at = NULL, last_error = NULL
            WHERE id = @id AND status IN ('DEAD', 'SENT')
            """, new { id }, cancellationToken) == 1) return true;
        return await ledger.SingleAsync<long?>("SELECT id FROM outbox WHERE id = @id", new { id }, cancellationToken) is null ? null : false;
    }

    /// <summary>Deletes sent rows, and notes of what consumers handled, that are older; returns how many.</summary>
    public async Task<int> PurgeAsync(TimeSpan keep, CancellationToken cancellationToken)
    {
        var deleted = 0;
        var seconds = (long)keep.TotalSeconds;
        // Walks from the oldest row on and ends at the first page that is too young, in place of an index that every row would pay for.
        for (var after = 0L; ;)
        {
            var page = await ledger.QueryAsync<AgedRow>("""
                SELECT id AS Id, CAST(status = 'SENT' AND sent_at < UTC_TIMESTAMP(6) - INTERVAL @seconds SECOND AS SIGNED) AS Old,
                       CAST(created_at < UTC_TIMESTAMP(6) - INTERVAL @seconds SECOND AS SIGNED) AS Written
                FROM outbox WHERE id > @after ORDER BY id LIMIT @RowsTogether
                """, new { after, seconds, RowsTogether }, cancellationToken);
            var ids = page.Where(r => r.Old == 1).Select(r => r.Id).ToArray();
            if (ids.Length > 0) deleted += await ledger.ExecuteAsync("DELETE FROM outbox WHERE id IN @ids AND status = 'SENT'", new { ids }, cancellationToken);
            if (page.Count < RowsTogether || page[^1].Written == 0) break;
            after = page[^1].Id;
        }

        int handled;
        do
        {
            handled = await ledger.ExecuteAsync(
                "DELETE FROM inbox WHERE handled_at < UTC_TIMESTAMP(6) - INTERVAL @seconds SECOND ORDER BY handled_at LIMIT @RowsTogether",
                new { seconds, RowsTogether }, cancellationToken);
            deleted += handled;
        }
        while (handled == RowsTogether);
        return deleted;
    }

    sealed record RefusedRow(long Id, string Key, long Due);

    sealed record AgedRow(long Id, long? Old, long Written);
}

/// <summary>What a refusal changes in its row.</summary>
/// <param name="Delay">Microseconds.</param>
sealed record MarkedRefusal(long Id, string Error, string Status, long Delay);

[JsonSerializable(typeof(MarkedRefusal[]))]
sealed partial class OutboxJson : JsonSerializerContext;
