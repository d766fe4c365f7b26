using System.Data.Common;
using Commerce.Core.Database;

namespace Commerce.Core.Idempotency;

/// <summary>A response that repeated requests with the same key get.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="Location">The Location header, or null.</param>
public sealed record StoredResponse(int Status, string ContentType, string? Location, byte[] Body);

/// <summary>The state of a key.</summary>
/// <param name="BodyHash">SHA-256 of the request's body.</param>
/// <param name="Answer">The response, or null while a request is working on it.</param>
/// <param name="Abandoned">Whether the claim has expired without a response, because its process died.</param>
public sealed record KnownKey(byte[] BodyHash, StoredResponse? Answer, bool Abandoned);

/// <summary>
/// Stores the responses to requests. The scope of a key is the SHA-256 of user, route and key. Either the response commits together
/// with the work, or the first transaction of the work claims the key, and the response is stored at the end.
/// </summary>
public sealed class IdempotencyStore(MySqlDatabase database)
{
    /// <summary>The time after which a claim without a response is abandoned. It is longer than any request takes.</summary>
    static readonly TimeSpan Lease = TimeSpan.FromSeconds(60);

    const string CompleteClaim = """
        UPDATE idempotency_key
        SET status = @answerStatus, content_type = @answerType, location = @answerLocation, answer = @answerBody, claim = NULL, lease_until = NULL
        WHERE scope = @scope AND claim = @claim
        """;

    /// <summary>Finds the state of a key. Returns null if the key is unknown.</summary>
    /// <param name="wait">Whether to wait for a request that is about to commit its response.</param>
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
    /// Claims a new key. The claim commits with the transaction. Call it first, so that a duplicate of the request waits here before it
    /// does anything.
    /// </summary>
    /// <param name="claim">Unique per attempt.</param>
    public static void Claim(DbSession transaction, byte[] scope, byte[] bodyHash, string claim) =>
        transaction.InsertAhead(ToClaim(scope, bodyHash, claim));

    /// <summary>Returns the statement that claims a new key. It commits with the only transaction that has an effect.</summary>
    /// <param name="claim">Unique per attempt.</param>
    public static DeferredStatement ToClaim(byte[] scope, byte[] bodyHash, string claim) => new("""
        INSERT INTO idempotency_key (scope, body_hash, claim, lease_until) VALUES (@keyScope, @keyBodyHash, @keyClaim, UTC_TIMESTAMP(6) + INTERVAL @keySeconds SECOND)
        """, new { keyScope = scope, keyBodyHash = bodyHash, keyClaim = claim, keySeconds = (int)Lease.TotalSeconds }, e => IsTaken(e) ? new IdempotencyKeyTakenException(e) : null);

    /// <summary>Takes over an abandoned claim. The dead process may have done the work.</summary>
    /// <exception cref="IdempotencyKeyTakenException">Another request was faster, or there is a response.</exception>
    public static async Task TakeOverAsync(DbSession transaction, byte[] scope, byte[] bodyHash, string claim)
    {
        if (await transaction.ExecuteAsync("""
                UPDATE idempotency_key SET claim = @claim, lease_until = UTC_TIMESTAMP(6) + INTERVAL @seconds SECOND
                WHERE scope = @scope AND body_hash = @bodyHash AND status IS NULL AND lease_until <= UTC_TIMESTAMP(6)
                """, new { scope, bodyHash, claim, seconds = (int)Lease.TotalSeconds }) == 0) throw new IdempotencyKeyTakenException(null);
    }

    /// <summary>Stores the response for a claimed key, unless another owner has taken the claim over.</summary>
    public Task CompleteAsync(byte[] scope, string claim, StoredResponse answer, CancellationToken cancellationToken) =>
        database.ExecuteAsync(CompleteClaim, CompleteParameters(scope, claim, answer), cancellationToken);

    /// <summary>Stores the response for a claimed key with the COMMIT of the work.</summary>
    public static void Complete(DbSession transaction, byte[] scope, string claim, StoredResponse answer) =>
        transaction.AtCommit(CompleteClaim, CompleteParameters(scope, claim, answer));

    /// <summary>Releases a claimed key, so that the request can be repeated.</summary>
    public Task ReleaseAsync(byte[] scope, string claim, CancellationToken cancellationToken) =>
        database.ExecuteAsync("DELETE FROM idempotency_key WHERE scope = @scope AND claim = @claim", new { scope, claim }, cancellationToken);

    /// <summary>Claims a key and stores its response, in the transaction of the work.</summary>
    /// <param name="first">True: the row is sent with the next command, and a duplicate of the request waits there. False: it is sent
    /// with the COMMIT, and a duplicate waits for a lock that this transaction holds.</param>
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

    /// <summary>Deletes keys older than <paramref name="age"/> and returns their number.</summary>
    public Task<int> PurgeAsync(TimeSpan age, CancellationToken cancellationToken) => database.DeleteInPagesAsync(
        "DELETE FROM idempotency_key WHERE created_at < UTC_TIMESTAMP(6) - INTERVAL @seconds SECOND", new { seconds = (long)age.TotalSeconds }, cancellationToken);

    static object CompleteParameters(byte[] scope, string claim, StoredResponse answer) =>
        new { scope, claim, answerStatus = answer.Status, answerType = answer.ContentType, answerLocation = answer.Location, answerBody = answer.Body };

    static bool IsTaken(DbException e) =>
        MySqlErrors.Number(e) is MySqlErrors.DuplicateKey && e.Message.Contains("idempotency_key", StringComparison.Ordinal);

    sealed record KeyRow(byte[] BodyHash, int? Status, string? ContentType, string? Location, byte[]? Answer, long Abandoned);
}

/// <summary>Another request with the same key has committed or is about to commit.</summary>
public sealed class IdempotencyKeyTakenException(Exception? inner) : Exception("The key belongs to another request.", inner);
