using System.Data.Common;
using Commerce.Core.Database;
using Commerce.ServiceDefaults;

namespace Commerce.Core.Idempotency;

/// <summary>An answer that is given again to whoever comes with the same key.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Location">The header of that name, or null.</param>
public sealed record StoredResponse(int Status, string ContentType, string? Location, byte[] Body);

/// <summary>What is known of a key.</summary>
/// <param name="BodyHash">SHA-256 of the request's body.</param>
/// <param name="Answer">Null while somebody works on it.</param>
public sealed record KnownKey(byte[] BodyHash, StoredResponse? Answer);

/// <summary>
/// Which requests were answered, and how. A request is named by its scope: SHA-256 over user, route and key. Either the answer is committed
/// together with the work, or the key is claimed with the beginning of the work and the answer is stored with its end or after it.
/// </summary>
public sealed class IdempotencyStore(MySqlDatabase database)
{
    /// <summary>Whoever claimed a key and has not answered after this is taken for dead; longer than any request takes.</summary>
    static readonly TimeSpan Lease = TimeSpan.FromSeconds(60);

    const int BatchSize = 1000;

    const string Complete = """
        UPDATE idempotency_key
        SET status = @Status, content_type = @ContentType, location = @Location, answer = @Body, claim = NULL, lease_until = NULL
        WHERE scope = @scope AND claim = @claim
        """;

    /// <summary>What is known of a key, or null.</summary>
    /// <param name="wait">Whether to wait for a request that is about to commit its answer.</param>
    public async Task<KnownKey?> FindAsync(byte[] scope, CancellationToken cancellationToken, bool wait = false)
    {
        var row = await database.SingleAsync<KeyRow>($"""
            SELECT body_hash AS BodyHash, status AS Status, content_type AS ContentType, location AS Location, answer AS Answer
            FROM idempotency_key WHERE scope = @scope {(wait ? "FOR SHARE" : "")}
            """, new { scope }, cancellationToken);
        return row is null ? null : new(row.BodyHash, row.Status is { } status ? new(status, row.ContentType!, row.Location, row.Answer!) : null);
    }

    /// <summary>
    /// Lets the caller work on a key from the commit of its transaction on: one that is new, or whose last worker died over it, perhaps after it had done
    /// the work. Call it first: a duplicate of the request waits here, before it does anything.
    /// </summary>
    /// <param name="claim">A name for this worker, different for each.</param>
    /// <exception cref="IdempotencyKeyTakenException">Somebody else has the key, or it is answered.</exception>
    public static async Task ClaimAsync(DbSession transaction, byte[] scope, byte[] bodyHash, string claim)
    {
        // The row is locked for a change at once. Duplicates that share a lock first and then want to change it would be a deadlock.
        if (await transaction.SingleAsync<int?>("""
                INSERT INTO idempotency_key (scope, body_hash, claim, lease_until)
                VALUES (@scope, @bodyHash, @claim, UTC_TIMESTAMP(6) + INTERVAL @seconds SECOND) AS mine
                ON DUPLICATE KEY UPDATE
                  claim = IF(idempotency_key.body_hash = mine.body_hash AND status IS NULL AND idempotency_key.lease_until <= UTC_TIMESTAMP(6),
                    mine.claim, idempotency_key.claim),
                  lease_until = IF(idempotency_key.claim = mine.claim, mine.lease_until, idempotency_key.lease_until);
                SELECT 1 FROM idempotency_key WHERE scope = @scope AND claim = @claim
                """, new { scope, bodyHash, claim, seconds = (int)Lease.TotalSeconds }) is null) throw new IdempotencyKeyTakenException(null);
    }

    /// <summary>Stores the answer to a claimed key, unless somebody took the claim over.</summary>
    public Task CompleteAsync(byte[] scope, string claim, StoredResponse answer, CancellationToken cancellationToken) =>
        database.ExecuteAsync(Complete, CompleteParameters(scope, claim, answer), cancellationToken);

    /// <summary>Adds the answer to a claimed key to the transaction of the work. Call it last: then what is answered is what is committed.</summary>
    public static Task CompleteAsync(DbSession transaction, byte[] scope, string claim, StoredResponse answer) =>
        transaction.ExecuteAsync(Complete, CompleteParameters(scope, claim, answer));

    /// <summary>Forgets a claimed key: the same request can be made again.</summary>
    public Task ReleaseAsync(byte[] scope, string claim, CancellationToken cancellationToken) =>
        database.ExecuteAsync("DELETE FROM idempotency_key WHERE scope = @scope AND claim = @claim", new { scope, claim }, cancellationToken);

    /// <summary>
    /// Adds the answer to a key that nobody has claimed to the transaction of the work. Call it first, or behind a lock that a duplicate of the request waits
    /// for as well: the duplicate is to wait before it does anything.
    /// </summary>
    /// <exception cref="IdempotencyKeyTakenException">Another request with this key was committed first, or takes too long.</exception>
    public static async Task CompleteAsync(DbSession transaction, byte[] scope, byte[] bodyHash, StoredResponse answer)
    {
        try
        {
            await transaction.ExecuteAsync("""
                INSERT INTO idempotency_key (scope, body_hash, status, content_type, location, answer)
                VALUES (@scope, @bodyHash, @Status, @ContentType, @Location, @Body)
                """, new { scope, bodyHash, answer.Status, answer.ContentType, answer.Location, answer.Body });
        }
        catch (DbException e) when (MySqlErrors.Number(e) is MySqlErrors.DuplicateKey or MySqlErrors.LockWaitTimeout or MySqlErrors.QueryTimeout
            or MySqlErrors.QueryInterrupted or MySqlErrors.CommandTimeout)
        {
            throw new IdempotencyKeyTakenException(e);
        }
    }

    /// <summary>Forgets what is older than <paramref name="age"/> and returns how many keys those were.</summary>
    public async Task<int> PurgeAsync(TimeSpan age, CancellationToken cancellationToken)
    {
        var (sum, rows) = (0, BatchSize);
        while (rows == BatchSize)
        {
            rows = await database.ExecuteAsync(
                "DELETE FROM idempotency_key WHERE created_at < UTC_TIMESTAMP(6) - INTERVAL @seconds SECOND LIMIT @BatchSize",
                new { seconds = (long)age.TotalSeconds, BatchSize }, cancellationToken);
            sum += rows;
        }

        return sum;
    }

    static object CompleteParameters(byte[] scope, string claim, StoredResponse answer) =>
        new { scope, claim, answer.Status, answer.ContentType, answer.Location, answer.Body };

    sealed record KeyRow(byte[] BodyHash, int? Status, string? ContentType, string? Location, byte[]? Answer);
}

/// <summary>Another request with the same key is committed, or about to be.</summary>
public sealed class IdempotencyKeyTakenException(Exception? inner) : Exception("The key belongs to another request.", inner);
