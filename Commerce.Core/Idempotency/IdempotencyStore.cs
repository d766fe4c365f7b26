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
/// <param name="Abandoned">Whoever worked on it has not answered in time, and is taken for dead.</param>
public sealed record KnownKey(byte[] BodyHash, StoredResponse? Answer, bool Abandoned);

/// <summary>
/// Which requests were answered, and how. A request is named by its scope: SHA-256 over user, route and key. Either the answer is committed
/// together with the work, or the key is claimed with the beginning of the work and the answer is stored with its end or after it.
/// </summary>
public sealed class IdempotencyStore(MySqlDatabase database)
{
    /// <summary>Whoever claimed a key and has not answered after this is taken for dead; longer than any request takes.</summary>
    static readonly TimeSpan Lease = TimeSpan.FromSeconds(60);

    const int BatchSize = 1000;

    const string CompleteClaim = """
        UPDATE idempotency_key
        SET status = @answerStatus, content_type = @answerType, location = @answerLocation, answer = @answerBody, claim = NULL, lease_until = NULL
        WHERE scope = @scope AND claim = @claim
        """;

    /// <summary>What is known of a key, or null.</summary>
    /// <param name="wait">Whether to wait for a request that is about to commit its answer.</param>
    public async Task<KnownKey?> FindAsync(byte[] scope, CancellationToken cancellationToken, bool wait = false)
    {
        var row = await database.SingleAsync<KeyRow>($"""
            SELECT body_hash AS BodyHash, status AS Status, content_type AS ContentType, location AS Location, answer AS Answer,
                   COALESCE(status IS NULL AND lease_until <= UTC_TIMESTAMP(6), FALSE) AS Abandoned
            FROM idempotency_key WHERE scope = @scope {(wait ? "FOR SHARE" : "")}
            """, new { scope }, cancellationToken);
        return row is null ? null : new(row.BodyHash, row.Status is { } status ? new(status, row.ContentType!, row.Location, row.Answer!) : null, row.Abandoned == 1);
    }

    /// <summary>
    /// Lets the caller work on a new key from the commit of its transaction on. Call it first: it travels with the first command, and a duplicate of the request
    /// waits there, before it does anything. That command fails with an <see cref="IdempotencyKeyTakenException"/> where the key is known.
    /// </summary>
    /// <param name="claim">A name for this worker, different for each.</param>
    public static void Claim(DbSession transaction, byte[] scope, byte[] bodyHash, string claim) =>
        transaction.InsertAhead("""
            INSERT INTO idempotency_key (scope, body_hash, claim, lease_until) VALUES (@scope, @bodyHash, @claim, UTC_TIMESTAMP(6) + INTERVAL @seconds SECOND)
            """, new { scope, bodyHash, claim, seconds = (int)Lease.TotalSeconds }, e => IsTaken(e) ? new IdempotencyKeyTakenException(e) : null);

    /// <summary>The same for a key whose last worker died over it, perhaps after it had done the work.</summary>
    /// <exception cref="IdempotencyKeyTakenException">Somebody else was faster, or it is answered.</exception>
    public static async Task TakeOverAsync(DbSession transaction, byte[] scope, byte[] bodyHash, string claim)
    {
        if (await transaction.ExecuteAsync("""
                UPDATE idempotency_key SET claim = @claim, lease_until = UTC_TIMESTAMP(6) + INTERVAL @seconds SECOND
                WHERE scope = @scope AND body_hash = @bodyHash AND status IS NULL AND lease_until <= UTC_TIMESTAMP(6)
                """, new { scope, bodyHash, claim, seconds = (int)Lease.TotalSeconds }) == 0) throw new IdempotencyKeyTakenException(null);
    }

    /// <summary>Stores the answer to a claimed key, unless somebody took the claim over.</summary>
    public Task CompleteAsync(byte[] scope, string claim, StoredResponse answer, CancellationToken cancellationToken) =>
        database.ExecuteAsync(CompleteClaim, CompleteParameters(scope, claim, answer), cancellationToken);

    /// <summary>Adds the answer to a claimed key to the transaction of the work: with its COMMIT, so what is answered is what is committed.</summary>
    public static void Complete(DbSession transaction, byte[] scope, string claim, StoredResponse answer) =>
        transaction.AtCommit(CompleteClaim, CompleteParameters(scope, claim, answer));

    /// <summary>Forgets a claimed key: the same request can be made again.</summary>
    public Task ReleaseAsync(byte[] scope, string claim, CancellationToken cancellationToken) =>
        database.ExecuteAsync("DELETE FROM idempotency_key WHERE scope = @scope AND claim = @claim", new { scope, claim }, cancellationToken);

    /// <summary>
    /// Adds the answer to a key that nobody has claimed to the transaction of the work. Where a request with this key was committed first, or takes too long,
    /// the command with which it travels fails with an <see cref="IdempotencyKeyTakenException"/>.
    /// </summary>
    /// <param name="first">
    /// Whether it travels with the first command: so a duplicate of the request waits before it does anything. Otherwise with the COMMIT, behind a lock that the duplicate
    /// waits for as well.
    /// </param>
    public static void Complete(DbSession transaction, byte[] scope, byte[] bodyHash, StoredResponse answer, bool first)
    {
        const string Insert = """
            INSERT INTO idempotency_key (scope, body_hash, status, content_type, location, answer)
            VALUES (@scope, @bodyHash, @answerStatus, @answerType, @answerLocation, @answerBody)
            """;
        var parameters = new
        {
            scope, bodyHash, answerStatus = answer.Status, answerType = answer.ContentType, answerLocation = answer.Location, answerBody = answer.Body,
        };
        if (first) transaction.InsertAhead(Insert, parameters, Explain);
        else transaction.AtCommit(Insert, parameters, Explain);

        static IdempotencyKeyTakenException? Explain(DbException e) => IsTaken(e) || MySqlErrors.Number(e) is MySqlErrors.LockWaitTimeout
            or MySqlErrors.QueryTimeout or MySqlErrors.QueryInterrupted or MySqlErrors.CommandTimeout ? new(e) : null;
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
        new { scope, claim, answerStatus = answer.Status, answerType = answer.ContentType, answerLocation = answer.Location, answerBody = answer.Body };

    static bool IsTaken(DbException e) =>
        MySqlErrors.Number(e) is MySqlErrors.DuplicateKey && e.Message.Contains("idempotency_key", StringComparison.Ordinal);

    sealed record KeyRow(byte[] BodyHash, int? Status, string? ContentType, string? Location, byte[]? Answer, long Abandoned);
}

/// <summary>Another request with the same key is committed, or about to be.</summary>
public sealed class IdempotencyKeyTakenException(Exception? inner) : Exception("The key belongs to another request.", inner);
