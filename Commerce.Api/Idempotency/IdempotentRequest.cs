using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Commerce.Core.Database;
using Commerce.Core.Idempotency;
using Commerce.ServiceDefaults;

namespace Commerce.Api.Idempotency;

/// <summary>
/// A request with an <c>Idempotency-Key</c>. A parameter of this type in an endpoint is bound by itself, and refused where the header is missing
/// or malformed. The endpoint uses one of two ways: <see cref="CommitAsync"/>, where its work is one transaction, or the filter
/// <see cref="IdempotencyExtensions.Idempotent{TBody}"/>, where it is more.
/// </summary>
sealed class IdempotentRequest
{
    const string Header = "Idempotency-Key";
    const int LongestKey = 128;

    internal static readonly TimeSpan ComeAgain = TimeSpan.FromSeconds(1);

    readonly IdempotencyStore _store;
    readonly RequestTwins _twins;

    IdempotentRequest(IServiceProvider services, byte[] scope) =>
        (_store, _twins, Scope) = (services.GetRequiredService<IdempotencyStore>(), services.GetRequiredService<RequestTwins>(), scope);

    /// <summary>SHA-256 over user, path and key: the name of this request and of its repetitions.</summary>
    public byte[] Scope { get; }

    /// <summary>Called by the framework for a parameter of an endpoint.</summary>
    public static ValueTask<IdempotentRequest?> BindAsync(HttpContext context)
    {
        var values = context.Request.Headers[Header];
        if (values.Count == 0) throw new ProblemException(IdempotencyProblems.Missing);
        if (values.Count > 1 || values[0] is not { Length: >= 1 and <= LongestKey } key || key.Any(c => c is < '!' or > '~'))
            throw new ProblemException(IdempotencyProblems.Invalid);
        // None of the three contains a line break.
        var scope = SHA256.HashData(Encoding.UTF8.GetBytes($"{CurrentUser.Of(context.User)!.Id}\n{context.Request.Path}\n{key}"));
        return new(new IdempotentRequest(context.RequestServices, scope));
    }

    /// <summary>SHA-256 over what was understood of a body, so that spaces and the order of fields make no difference.</summary>
    internal static byte[] Hash<TBody>(TBody body) => SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(body, typeof(TBody), ApiJson.Default));

    /// <summary>
    /// Answers a request whose work is one transaction, once: <paramref name="work"/> calls <see cref="Commit.CompleteAsync"/> first of all in its
    /// transaction. Refusals are exceptions; they are not kept, the same request may succeed later. Before one is told it is made sure that it is not the
    /// doing of a twin: somebody presses twice, the first has the last piece, and the second would be told that there is none.
    /// </summary>
    public async Task<IResult> CommitAsync<TBody>(TBody body, Func<Commit, Task> work, CancellationToken cancellationToken)
    {
        var hash = Hash(body);
        if (await _store.FindAsync(Scope, cancellationToken) is { } known) return Replay(known, hash);
        var request = await _twins.EnterAsync(Scope);
        var commit = new Commit(Scope, hash);
        try
        {
            await work(commit);
        }
        catch (IdempotencyKeyTakenException)
        {
            return await _store.FindAsync(Scope, cancellationToken) is { } first ? Replay(first, hash) : InFlight();
        }

        // Nothing was committed: refused, or failed before there was anything to commit. Otherwise nobody knows, and it stays among those under way.
        catch (Exception e) when (e is ProblemException || commit.Answer is null)
        {
            if (!await _twins.LeaveAsync(Scope, request) || e is not ProblemException { Problem.Status: < StatusCodes.Status500InternalServerError }) throw;
            return await _store.FindAsync(Scope, cancellationToken, wait: true) is { } twin ? Replay(twin, hash) : InFlight();
        }

        return new IdempotentResult(commit.Answer ?? throw new InvalidOperationException("The work has not completed its answer."), replayed: false);
    }

    /// <summary>The answer to whoever comes with a key that is known.</summary>
    internal static IResult Replay(KnownKey known, byte[] hash) => known switch
    {
        _ when !known.BodyHash.AsSpan().SequenceEqual(hash) => IdempotencyProblems.Reused.ToResult(),
        { Answer: { } answer } => new IdempotentResult(answer, replayed: true),
        _ => InFlight(),
    };

    internal static ProblemResult InFlight() => IdempotencyProblems.InFlight.ToResult(retryAfter: ComeAgain);

    /// <summary>The answer that is committed together with the work.</summary>
    public sealed class Commit(byte[] scope, byte[] bodyHash)
    {
        /// <summary>What was completed last: a transaction may run again.</summary>
        public StoredAnswer? Answer { get; private set; }

        /// <summary>Adds the answer to the transaction.</summary>
        /// <exception cref="IdempotencyKeyTakenException">A request with the same key was faster: roll back and let the exception pass.</exception>
        public Task CompleteAsync(Statements transaction, int status, byte[] json, string? location = null)
        {
            Answer = new(status, "application/json; charset=utf-8", location, json);
            return IdempotencyStore.CompleteAsync(transaction, scope, bodyHash, Answer);
        }

        /// <inheritdoc cref="CompleteAsync(Statements, int, byte[], string?)"/>
        public Task CompleteAsync<T>(Statements transaction, int status, T value, JsonTypeInfo<T> type, string? location = null) =>
            CompleteAsync(transaction, status, JsonSerializer.SerializeToUtf8Bytes(value, type), location);
    }
}

/// <summary>An answer from its parts.</summary>
sealed class IdempotentResult(StoredAnswer answer, bool replayed) : IResult
{
    public Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        response.StatusCode = answer.Status;
        response.ContentType = answer.ContentType;
        response.ContentLength = answer.Body.Length;
        if (answer.Location is not null) response.Headers.Location = answer.Location;
        if (replayed) response.Headers["Idempotent-Replayed"] = "true";
        return response.Body.WriteAsync(answer.Body, httpContext.RequestAborted).AsTask();
    }
}
