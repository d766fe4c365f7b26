using System.Text.Json;
using System.Text.Json.Serialization;
using Commerce.Core.Database;

namespace Commerce.Core.Outbox;

/// <summary>A claim of shards. Until its lease ends, no other relay sends rows of these shards.</summary>
/// <param name="Token">A unique token. A relay whose claim has expired cannot mark rows.</param>
/// <param name="AnyRefused">Whether any rejected message waits for its next attempt.</param>
public sealed record OutboxClaim(string Token, IReadOnlyList<int> Shards, bool AnyRefused);

/// <summary>A row to send.</summary>
public sealed record OutboxRow
{
    public required long Id { get; init; }

    public required int Shard { get; init; }

    public required string Topic { get; init; }

    public required string Key { get; init; }

    public required string MessageId { get; init; }

    public required byte[] Payload { get; init; }

    public string? Traceparent { get; init; }

    /// <summary>Microseconds since the row was written, at the time of reading; 0 if not requested.</summary>
    public long Age { get; init; }

    /// <summary>The number of times that the brokers rejected it.</summary>
    public int Attempts { get; init; }
}

/// <summary>An outbox message for administrators.</summary>
/// <param name="Payload">At most 2,000 characters.</param>
/// <param name="Status"><c>PENDING</c>, <c>SENT</c> or <c>DEAD</c>.</param>
/// <param name="Attempts">The number of times that the brokers rejected it.</param>
/// <param name="LastError">The reason of the last rejection. Null if the message was never rejected, or was accepted since.</param>
/// <param name="NextAttemptAt">The time of the next attempt of a rejected message, or null if it is dead.</param>
public sealed record OutboxEntry(
    long Id, string Topic, string Key, string MessageId, string? Payload, string Status, long Attempts, string? LastError,
    DateTime CreatedAt, DateTime? NextAttemptAt);

/// <summary>A rejected row and its next attempt.</summary>
public sealed record OutboxRefusal(OutboxRow Row, string Error, bool Dead, TimeSpan Delay);

/// <summary>The state of the outbox.</summary>
/// <param name="OldestAge">The age of the oldest waiting row in seconds.</param>
public sealed record OutboxBacklog(long Pending, double OldestAge, long Dead);

/// <summary>
/// The statements on <c>outbox</c>, <c>outbox_waiting</c>, <c>outbox_refused</c>, <c>outbox_shard</c> and <c>inbox</c>. They use
/// MySQL's clock.
/// </summary>
public sealed class OutboxStore(MySqlDatabase database)
{
    const int BatchSize = 1000;

    /// <summary>Outbox rows <c>o</c> with their pending work, for <see cref="Status"/>.</summary>
    public const string Rows =
        "outbox o LEFT JOIN outbox_waiting w ON w.shard = o.shard AND w.id = o.id LEFT JOIN outbox_refused r ON r.id = o.id";

    /// <summary>
    /// The status of <see cref="Rows"/>, as in <see cref="OutboxEntry"/>. A row was sent if it neither waits nor is dead.
    /// </summary>
    public const string Status =
        "CASE WHEN w.id IS NOT NULL OR r.next_attempt_at IS NOT NULL THEN 'PENDING' WHEN r.id IS NOT NULL THEN 'DEAD' ELSE 'SENT' END";

    /// <summary>Counts the waiting messages, including rejected ones.</summary>
    public const string CountPending =
        "SELECT (SELECT COUNT(*) FROM outbox_waiting) + (SELECT COUNT(*) FROM outbox_refused WHERE next_attempt_at IS NOT NULL)";

    /// <summary>Counts the dead messages.</summary>
    public const string CountDead = "SELECT COUNT(*) FROM outbox_refused WHERE next_attempt_at IS NULL";

    /// <summary>
    /// Claims free shards with due rows, at most <paramref name="limit"/>, the least recently served first. Returns null if there are
    /// none.
    /// </summary>
    /// <param name="without">Shards to skip.</param>
    public async Task<OutboxClaim?> ClaimAsync(int limit, IReadOnlyCollection<int> without, TimeSpan lease, CancellationToken cancellationToken)
    {
        var token = Guid.NewGuid().ToString();
        // Under READ COMMITTED, the scan does not wait for a locked row that is already claimed in its committed version.
        var claimed = await database.QueryAsync<(long Shard, long AnyRefused)>($"""
            UPDATE outbox_shard s SET s.token = @token, s.lease_until = UTC_TIMESTAMP(6) + INTERVAL @microseconds MICROSECOND
            WHERE s.lease_until <= UTC_TIMESTAMP(6) {(without.Count > 0 ? "AND s.shard NOT IN @without" : "")} AND (
              (SELECT 1 FROM outbox_waiting w WHERE w.shard = s.shard LIMIT 1) IS NOT NULL
              OR (SELECT 1 FROM outbox_refused r WHERE r.shard = s.shard AND r.next_attempt_at <= UTC_TIMESTAMP(6) LIMIT 1) IS NOT NULL)
            ORDER BY s.lease_until LIMIT @limit;
            SELECT CAST(shard AS SIGNED), EXISTS (SELECT 1 FROM outbox_refused WHERE next_attempt_at IS NOT NULL) FROM outbox_shard WHERE token = @token
            """, new { token, without, limit, microseconds = (long)lease.TotalMicroseconds }, cancellationToken);
        return claimed.Count == 0 ? null : new(token, [.. claimed.Select(c => (int)c.Shard)], claimed[0].AnyRefused == 1);
    }

    /// <summary>
    /// Lists the due rows of the claimed shards, in order per key. A key is skipped while one of its rows was rejected and waits for its
    /// next attempt, so that no row overtakes another.
    /// </summary>
    /// <param name="heldTopics">Topics to skip, because they reject all messages now.</param>
    public async Task<IReadOnlyList<OutboxRow>> ListDueAsync(
        OutboxClaim claim, IReadOnlyCollection<string> heldTopics, int limit, bool withAge, CancellationToken cancellationToken)
    {
        IReadOnlyList<RefusedRow> refused = !claim.AnyRefused ? [] : await database.QueryAsync<RefusedRow>("""
            SELECT r.id AS Id, o.message_key AS `Key`, r.attempts AS Attempts, CAST(r.next_attempt_at <= UTC_TIMESTAMP(6) AS SIGNED) AS Due
            FROM outbox_refused r JOIN outbox o ON o.id = r.id WHERE r.shard IN @Shards AND r.next_attempt_at IS NOT NULL ORDER BY r.id
            """, new { claim.Shards }, cancellationToken);
        var again = refused.Where(r => r.Due == 1).Take(BatchSize).ToDictionary(r => r.Id, r => r.Attempts);
        var waiting = refused.Where(r => !again.ContainsKey(r.Id)).Select(r => r.Key).ToHashSet(StringComparer.Ordinal);

        // Every column costs time in the client, so the age is read only where it is measured.
        var columns = $"""
            o.id AS Id, o.shard AS Shard, o.topic AS Topic, o.message_key AS `Key`, o.message_id AS MessageId, o.payload AS Payload, o.traceparent AS Traceparent
            {(withAge ? ", TIMESTAMPDIFF(MICROSECOND, o.created_at, UTC_TIMESTAMP(6)) AS Age" : "")}
            """;
        // The rows come in index order, so that MySQL need not sort them.
        var rows = await database.QueryAsync<OutboxRow>($"""
            SELECT {columns} FROM outbox_waiting w STRAIGHT_JOIN outbox o ON o.id = w.id WHERE w.shard IN @Shards
            {(waiting.Count > 0 ? "AND o.message_key NOT IN @waiting" : "")} {(heldTopics.Count > 0 ? "AND o.topic NOT IN @heldTopics" : "")}
            ORDER BY w.shard, w.id LIMIT @limit
            """, new { claim.Shards, waiting, heldTopics, limit }, cancellationToken);
        if (again.Count == 0) return rows;
        var others = await database.QueryAsync<OutboxRow>(
            $"SELECT {columns} FROM outbox o WHERE o.id IN @Keys AND o.message_key NOT IN @waiting {(heldTopics.Count > 0 ? "AND o.topic NOT IN @heldTopics" : "")}",
            new { again.Keys, waiting, heldTopics }, cancellationToken);
        return [.. others.Select(r => r with { Attempts = again[r.Id] }).Concat(rows).OrderBy(r => r.Id)];
    }

    /// <summary>Marks sent and rejected rows, and releases the shards.</summary>
    /// <returns>The shards whose claim was still valid. Rows of other shards are unchanged.</returns>
    public async Task<IReadOnlyList<int>> MarkAsync(
        OutboxClaim claim, IReadOnlyList<OutboxRow> sent, IReadOnlyList<OutboxRefusal> refused, CancellationToken cancellationToken)
    {
        return await database.TryExecuteInTransactionAsync(async transaction =>
        {
            if (await GiveBackAsync(transaction, claim.Shards) < claim.Shards.Count) return false;
            MarkRows(transaction, sent, refused);
            return true;
        }, cancellationToken)
        ? claim.Shards
        : await database.ExecuteInTransactionAsync<IReadOnlyList<int>>(async transaction =>
        {
            // The claims of some shards have expired.
            var held = (await transaction.QueryAsync<long>(
                "SELECT CAST(shard AS SIGNED) FROM outbox_shard WHERE shard IN @Shards AND token = @Token ORDER BY shard FOR UPDATE", new { claim.Shards, claim.Token }))
                .Select(shard => (int)shard).ToList();
            if (held.Count == 0) return held;
            await GiveBackAsync(transaction, held);
            MarkRows(transaction, [.. sent.Where(r => held.Contains(r.Shard))], [.. refused.Where(r => held.Contains(r.Row.Shard))]);
            return held;
        }, cancellationToken);

        // The shards are released first and stay locked, so that no other relay can claim them before the commit. Shards without sent rows
        // come first in the next claim.
        Task<int> GiveBackAsync(DbSession transaction, IReadOnlyList<int> shards) => transaction.ExecuteAsync("""
            UPDATE outbox_shard SET token = NULL, lease_until = IF(shard IN @served, UTC_TIMESTAMP(6), '2000-01-01') WHERE shard IN @shards AND token = @Token
            """, new { shards, claim.Token, served = sent.Select(r => r.Shard).Distinct().DefaultIfEmpty(-1) });
    }

    static void MarkRows(DbSession transaction, IReadOnlyList<OutboxRow> sent, IReadOnlyList<OutboxRefusal> refused)
    {
        // The rows are deleted by id and not by range, because a row with an id in between may be committed later. The hint prevents a
        // table scan, which would wait for rows that are not committed yet. The optimizer prefers the scan if it estimates the table to be
        // small. One list of ids for each shard costs MySQL two thirds of the processor time of one list of pairs.
        if (sent.Any(r => r.Attempts == 0))
            transaction.AtCommit($"DELETE /*+ INDEX(outbox_waiting PRIMARY) */ FROM outbox_waiting WHERE {string.Join(
                " OR ", sent.Where(r => r.Attempts == 0).GroupBy(r => r.Shard, r => r.Id, (shard, ids) => $"shard = {shard} AND id IN ({string.Join(',', ids)})"))}");
        if (sent.Any(r => r.Attempts > 0))
            transaction.AtCommit($"DELETE /*+ INDEX(outbox_refused PRIMARY) */ FROM outbox_refused WHERE id IN ({string.Join(',', sent.Where(r => r.Attempts > 0).Select(r => r.Id))})");

        var again = refused.Select(r => new MarkedRefusal(
            r.Row.Id, r.Row.Shard, r.Row.Attempts + 1, r.Error.Length > 500 ? r.Error[..500] : r.Error, r.Dead ? null : (long)r.Delay.TotalMicroseconds)).ToArray();
        if (again.Length > 0)
            transaction.AtCommit("""
                REPLACE INTO outbox_refused (id, shard, attempts, last_error, next_attempt_at)
                SELECT r.id, r.shard, r.attempts, r.error, UTC_TIMESTAMP(6) + INTERVAL r.delay MICROSECOND FROM JSON_TABLE(@rows, '$[*]' COLUMNS (
                  id BIGINT PATH '$.Id', shard TINYINT PATH '$.Shard', attempts INT PATH '$.Attempts', error VARCHAR(500) PATH '$.Error',
                  delay BIGINT PATH '$.Delay')) r;
                DELETE w FROM JSON_TABLE(@rows, '$[*]' COLUMNS (id BIGINT PATH '$.Id', shard TINYINT PATH '$.Shard')) r
                STRAIGHT_JOIN outbox_waiting w FORCE INDEX (PRIMARY) ON w.shard = r.shard AND w.id = r.id
                """, new { rows = JsonSerializer.Serialize(again, OutboxJson.Default.MarkedRefusalArray) });
    }

    /// <summary>Measures how many messages wait, the age of the oldest, and how many are dead.</summary>
    public async Task<OutboxBacklog> MeasureAsync(CancellationToken cancellationToken) =>
        (await database.SingleAsync<OutboxBacklog>($"""
            SELECT ({CountPending}) AS Pending,
                   CAST(COALESCE((SELECT TIMESTAMPDIFF(MICROSECOND, created_at, UTC_TIMESTAMP(6)) / 1e6 FROM outbox
                                  WHERE id = (SELECT MIN(id) FROM (SELECT id FROM outbox_waiting UNION ALL
                                              SELECT id FROM outbox_refused WHERE next_attempt_at IS NOT NULL) w)), 0) AS DOUBLE) AS OldestAge,
                   ({CountDead}) AS Dead
            """, null, cancellationToken))!;

    /// <summary>
    /// Lists the newest messages with an id below <paramref name="before"/>, of one status or of all, at most <paramref name="limit"/>.
    /// </summary>
    public Task<IReadOnlyList<OutboxEntry>> ListAsync(string? status, long? before, int limit, CancellationToken cancellationToken) =>
        database.QueryAsync<OutboxEntry>($"""
            SELECT o.id AS Id, o.topic AS Topic, o.message_key AS `Key`, o.message_id AS MessageId, LEFT(CONVERT(o.payload USING utf8mb4), 2000) AS Payload,
                   {Status} AS Status, COALESCE(r.attempts, 0) AS Attempts, r.last_error AS LastError, o.created_at AS CreatedAt,
                   r.next_attempt_at AS NextAttemptAt
            FROM {Rows} WHERE (@before IS NULL OR o.id < @before) AND (@status IS NULL OR {Status} = @status) ORDER BY o.id DESC LIMIT @limit
            """, new { status, before, limit }, cancellationToken);

    /// <summary>Sends a DEAD or SENT message again. Returns null if it does not exist, and false if it is already waiting.</summary>
    public Task<bool?> ReplayAsync(long id, CancellationToken cancellationToken) =>
        database.ExecuteInTransactionAsync<bool?>(async transaction =>
        {
            // The row is locked, so that it is not purged meanwhile.
            if (await transaction.SingleAsync<long?>("SELECT CAST(shard AS SIGNED) FROM outbox WHERE id = @id FOR UPDATE", new { id }) is not { } shard) return null;
            if (await transaction.SingleAsync<long?>("SELECT id FROM outbox_refused WHERE id = @id AND next_attempt_at IS NOT NULL", new { id }) is not null) return false;
            await transaction.ExecuteAsync("DELETE FROM outbox_refused WHERE id = @id", new { id });
            return await transaction.ExecuteAsync("INSERT IGNORE INTO outbox_waiting (shard, id) VALUES (@shard, @id)", new { shard, id }) == 1;
        }, cancellationToken);

    /// <summary>Deletes old sent messages and inbox rows, and returns their number.</summary>
    public async Task<int> PurgeAsync(TimeSpan keep, CancellationToken cancellationToken)
    {
        var deleted = 0;
        var seconds = (long)keep.TotalSeconds;
        // The scan starts at the oldest row and stops at the first page that is too young. An index would make every insert slower.
        for (var after = 0L; ;)
        {
            var page = await database.QueryAsync<AgedRow>("""
                SELECT id AS Id, CAST(created_at < UTC_TIMESTAMP(6) - INTERVAL @seconds SECOND AS SIGNED) AS Old
                FROM outbox WHERE id > @after ORDER BY id LIMIT @BatchSize
                """, new { after, seconds, BatchSize }, cancellationToken);
            var ids = page.Where(r => r.Old == 1).Select(r => r.Id).ToArray();
            if (ids.Length > 0)
                deleted += await database.ExecuteInTransactionAsync(async transaction =>
                {
                    // A replay locks its row too. Either the next statement sees the replay, or the replay no longer finds the row.
                    await transaction.QueryAsync<long>("SELECT id FROM outbox WHERE id IN @ids ORDER BY id FOR UPDATE", new { ids });
                    return await transaction.ExecuteAsync($"DELETE o FROM {Rows} WHERE o.id IN @ids AND w.id IS NULL AND r.id IS NULL", new { ids });
                }, cancellationToken);
            if (page.Count < BatchSize || page[^1].Old == 0) break;
            after = page[^1].Id;
        }

        return deleted + await database.DeleteInPagesAsync(
            "DELETE FROM inbox WHERE handled_at < UTC_TIMESTAMP(6) - INTERVAL @seconds SECOND ORDER BY handled_at", new { seconds }, cancellationToken);
    }

    sealed record RefusedRow(long Id, string Key, int Attempts, long? Due);

    sealed record AgedRow(long Id, long Old);
}

/// <summary>The record of a rejection.</summary>
/// <param name="Delay">The time until the next attempt in microseconds, or null if there is none.</param>
sealed record MarkedRefusal(long Id, long Shard, int Attempts, string Error, long? Delay);

[JsonSerializable(typeof(MarkedRefusal[]))]
sealed partial class OutboxJson : JsonSerializerContext;
