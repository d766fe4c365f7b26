using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Commerce.Core.Database;
using Commerce.Core.Idempotency;
using Commerce.ServiceDefaults;
using Microsoft.AspNetCore.Routing.Patterns;

namespace Commerce.Api.Idempotency;

/// <summary>
/// A request with an <c>Idempotency-Key</c>. A parameter of this type in an endpoint is bound by itself, and refused where the header is missing
/// or malformed. The endpoint uses one of these ways: <see cref="CommitAsync"/>, where its work is one transaction, <see cref="HoldAndCommitAsync"/>,
/// where it holds something before, or <see cref="WorkAsync"/>, where it is more than one.
/// </summary>
sealed class IdempotentRequest
{
    /// <summary>The header's name.</summary>
    public const string Header = "Idempotency-Key";

    /// <summary>In visible ASCII characters.</summary>
    public const int MaxKeyLength = 128;

    const string Json = "application/json; charset=utf-8";

    static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    readonly HttpContext _http;
    readonly IdempotencyStore _store;

    IdempotentRequest(HttpContext http, byte[] scope) =>
        (_http, _store, Scope) = (http, http.RequestServices.GetRequiredService<IdempotencyStore>(), scope);

    /// <summary>SHA-256 over user, route and key: the name of this request and of its repetitions.</summary>
    public byte[] Scope { get; }

    /// <summary>Called by the framework for a parameter of an endpoint.</summary>
    public static ValueTask<IdempotentRequest?> BindAsync(HttpContext context)
    {
        var values = context.Request.Headers[Header];
        if (values.Count == 0) throw new ProblemException(IdempotencyProblems.Missing);
        if (values.Count > 1 || values[0] is not { Length: >= 1 and <= MaxKeyLength } key || key.Any(c => c is < '!' or > '~'))
            throw new ProblemException(IdempotencyProblems.Invalid);
        // Route and key contain no line break.
        var scope = SHA256.HashData(Encoding.UTF8.GetBytes($"{CurrentUser.Of(context.User)!.Id}\n{RouteOf(context)}\n{key}"));
        return new(new IdempotentRequest(context, scope));
    }

    /// <summary>
    /// What the request was routed to: the route's pattern with the values in it. Routing ignores case, a trailing slash and percent-encoding, so the
    /// path as it was sent has many spellings for one operation. The result is the path in its usual spelling: keys that earlier versions of the Api
    /// stored stay valid.
    /// </summary>
    static string RouteOf(HttpContext context)
    {
        var route = new StringBuilder();
        foreach (var segment in ((RouteEndpoint)context.GetEndpoint()!).RoutePattern.PathSegments)
        {
            route.Append('/');
            foreach (var part in segment.Parts)
                route.Append(part switch
                {
                    RoutePatternLiteralPart literal => literal.Content,
                    RoutePatternSeparatorPart separator => separator.Content,
                    RoutePatternParameterPart parameter => Uri.EscapeDataString(Convert.ToString(context.Request.RouteValues[parameter.Name], CultureInfo.InvariantCulture) ?? ""),
                    _ => throw new InvalidOperationException($"A part of a route that has no text: {part}."),
                });
        }

        return route.ToString();
    }

    /// <summary>SHA-256 over what was understood of a body, so that spaces and the order of fields make no difference.</summary>
    static byte[] Hash<TBody>(TBody body) => SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(body, typeof(TBody), ApiJson.Default));

    /// <summary>
    /// Answers a request whose work is one transaction, once: <paramref name="work"/> calls <see cref="Commit.CompleteAtCommit"/> in it. That the key is known
    /// shows when the answer is added, or with a refusal: who comes first is not looked up. Refusals are exceptions; they are not kept, the same
    /// request may succeed later.
    /// </summary>
    public async Task<IResult> CommitAsync<TBody>(TBody body, Func<Commit, Task> work, CancellationToken cancellationToken)
    {
        var commit = new Commit(Scope, Hash(body));
        try
        {
            return await CommitAsync(commit, work, cancellationToken);
        }
        catch (ProblemException)
        {
            // What was done since the first request may be why this one is refused.
            if (await _store.FindAsync(Scope, cancellationToken) is { } known) return Replay(known, commit.BodyHash);
            throw;
        }
    }

    /// <summary>
    /// The same for work that holds something before its transaction, and calls <see cref="Commit.BeforeHoldingAsync"/> before that and
    /// <see cref="Commit.CompleteFirst"/> in it. Before a refusal is told it is made sure that it is not the doing of a duplicate: somebody presses twice, the first has
    /// the last piece, and the second would be told that there is none.
    /// </summary>
    public async Task<IResult> HoldAndCommitAsync<TBody>(TBody body, Func<Commit, Task> work, CancellationToken cancellationToken)
    {
        var inFlight = _http.RequestServices.GetRequiredService<InFlightRequests>();
        var request = Guid.NewGuid().ToString("N");
        // Meanwhile the work looks at what is wanted.
        var entering = inFlight.EnterAsync(Scope, request);
        var commit = new Commit(Scope, Hash(body))
        {
            // A repetition is to hold nothing, not even for a moment, where that can be known.
            BeforeHoldingAsync = async () =>
            {
                if (await entering && await _store.FindAsync(Scope, cancellationToken) is not null) throw new IdempotencyKeyTakenException(null);
            },
        };
        try
        {
            return await CommitAsync(commit, work, cancellationToken);
        }
        // Nothing was committed: refused, or failed before there was anything to commit. Otherwise nobody knows, and it stays among those under way.
        catch (Exception e) when (e is ProblemException || commit.Answer is null)
        {
            await entering;
            var hasTwin = await inFlight.LeaveAsync(Scope, request);
            if (e is not ProblemException { ProblemType.Status: < StatusCodes.Status500InternalServerError }) throw;
            if (await _store.FindAsync(Scope, cancellationToken, wait: hasTwin) is { } known) return Replay(known, commit.BodyHash);
            if (hasTwin) return InFlight();
            throw;
        }
    }

    /// <summary>
    /// Answers a request whose work is more than one transaction, once: <paramref name="work"/> calls <see cref="Claim.TakeAsync"/> first of all in its
    /// first transaction, and may call <see cref="Claim.Complete"/> in its last. An answer that was not committed so is stored after the
    /// work, refusals included; one that says "come again" (5xx, 429, or with Retry-After) is not. What is refused before the key is claimed is not
    /// kept. After a crash the request runs again: the work must be safe to repeat.
    /// </summary>
    public async Task<IResult> WorkAsync<TBody>(TBody body, Func<Claim, Task<IResult>> work)
    {
        var hash = Hash(body);
        try
        {
            return await WorkAsync(new Claim(Scope, hash, takesOver: false), work);
        }
        catch (IdempotencyKeyTakenException)
        {
            var known = await _store.FindAsync(Scope, CancellationToken.None);
            if (known is not { Abandoned: true }) return known is null ? InFlight() : Replay(known, hash);
        }

        try
        {
            return await WorkAsync(new Claim(Scope, hash, takesOver: true), work);
        }
        catch (IdempotencyKeyTakenException)
        {
            return await _store.FindAsync(Scope, CancellationToken.None) is { } known ? Replay(known, hash) : InFlight();
        }
    }

    async Task<IResult> WorkAsync(Claim claim, Func<Claim, Task<IResult>> work)
    {
        var kept = false;
        try
        {
            // The answer is written into a buffer and kept, also where nobody waits for it any more. The token that the endpoint was given is still the
            // caller's: what must go to its end passes another one on.
            _http.RequestAborted = CancellationToken.None;
            var result = await RunAsync(claim, work);
            var answer = claim.Answer ?? await BufferAsync(result);
            kept = claim.Answer is not null;
            if (!kept && claim.Asked && answer.Status < StatusCodes.Status500InternalServerError && answer.Status != StatusCodes.Status429TooManyRequests
                && _http.Response.Headers.RetryAfter.Count == 0)
            {
                await _store.CompleteAsync(Scope, claim.Name, answer, CancellationToken.None);
                kept = true;
            }

            return new IdempotentResult(answer, replayed: false);
        }
        catch (IdempotencyKeyTakenException)
        {
            kept = true;
            throw;
        }
        finally
        {
            if (!kept && claim.Asked) await _store.ReleaseAsync(Scope, claim.Name, CancellationToken.None);
        }
    }

    async Task<IResult> CommitAsync(Commit commit, Func<Commit, Task> work, CancellationToken cancellationToken)
    {
        try
        {
            await work(commit);
        }
        catch (IdempotencyKeyTakenException)
        {
            return await _store.FindAsync(Scope, cancellationToken) is { } first ? Replay(first, commit.BodyHash) : InFlight();
        }

        return new IdempotentResult(commit.Answer ?? throw new InvalidOperationException("The work has not completed its answer."), replayed: false);
    }

    static async Task<IResult> RunAsync(Claim claim, Func<Claim, Task<IResult>> work)
    {
        try
        {
            return await work(claim);
        }
        catch (ProblemException e) when (e.ProblemType.Status < StatusCodes.Status500InternalServerError)
        {
            return e.ProblemType.ToResult(e.Detail, e.RetryAfter);
        }
    }

    async Task<StoredResponse> BufferAsync(IResult result)
    {
        var response = _http.Response;
        var (body, buffer) = (response.Body, new MemoryStream());
        response.Body = buffer;
        try
        {
            await result.ExecuteAsync(_http);
        }
        finally
        {
            response.Body = body;
        }

        return new(response.StatusCode, response.ContentType ?? Json, response.Headers.Location, buffer.ToArray());
    }

    /// <summary>The answer to whoever comes with a key that is known.</summary>
    static IResult Replay(KnownKey known, byte[] hash) => known switch
    {
        _ when !known.BodyHash.AsSpan().SequenceEqual(hash) => IdempotencyProblems.Reused.ToResult(),
        { Answer: { } answer } => new IdempotentResult(answer, replayed: true),
        _ => InFlight(),
    };

    static ProblemResult InFlight() => IdempotencyProblems.InFlight.ToResult(retryAfter: RetryAfter);

    /// <summary>The answer that is committed together with the work.</summary>
    public sealed class Commit(byte[] scope, byte[] bodyHash)
    {
        public byte[] BodyHash => bodyHash;

        /// <summary>What was completed last: a transaction may run again.</summary>
        public StoredResponse? Answer { get; private set; }

        /// <summary>To be called before anything is held.</summary>
        /// <exception cref="IdempotencyKeyTakenException">The request was answered, or is about to be: let the exception pass.</exception>
        public Func<Task> BeforeHoldingAsync { get; init; } = () => Task.CompletedTask;

        /// <summary>
        /// Adds the answer to the transaction, with its first command: a duplicate of the request waits there. Where a request with the same key was faster, the
        /// command fails with an <see cref="IdempotencyKeyTakenException"/>: let it pass.
        /// </summary>
        public void CompleteFirst<T>(DbSession transaction, int status, T value, JsonTypeInfo<T> type, string? location = null) =>
            Complete(transaction, status, JsonSerializer.SerializeToUtf8Bytes(value, type), location, first: true);

        /// <summary>The same with the COMMIT, behind a lock that a duplicate of the request waits for as well.</summary>
        public void CompleteAtCommit<T>(DbSession transaction, int status, T value, JsonTypeInfo<T> type) =>
            Complete(transaction, status, JsonSerializer.SerializeToUtf8Bytes(value, type), null, first: false);

        void Complete(DbSession transaction, int status, byte[] json, string? location, bool first)
        {
            Answer = new(status, Json, location, json);
            IdempotencyStore.Complete(transaction, scope, bodyHash, Answer, first);
        }
    }

    /// <summary>The right to work on a request, committed with the beginning of the work, and its answer, committed with its end.</summary>
    /// <param name="takesOver">The key is known, and whoever worked on it is dead.</param>
    public sealed class Claim(byte[] scope, byte[] bodyHash, bool takesOver)
    {
        /// <summary>Of this worker.</summary>
        public string Name { get; } = Guid.NewGuid().ToString();

        /// <summary>Whether the key was asked for: an answer that was there before the work has none to be stored under.</summary>
        public bool Asked { get; private set; }

        /// <summary>Null where the answer is to be stored after the work.</summary>
        public StoredResponse? Answer { get; private set; }

        /// <summary>
        /// Adds the claim to the transaction: first of all. Where a request with the same key was faster, this, or the first command, fails with an
        /// <see cref="IdempotencyKeyTakenException"/>: roll back and let it pass.
        /// </summary>
        public Task TakeAsync(DbSession transaction)
        {
            Asked = true;
            if (takesOver) return IdempotencyStore.TakeOverAsync(transaction, scope, bodyHash, Name);
            IdempotencyStore.Claim(transaction, scope, bodyHash, Name);
            return Task.CompletedTask;
        }

        /// <summary>Adds the answer to the transaction, with its COMMIT.</summary>
        public void Complete<T>(DbSession transaction, int status, T value, JsonTypeInfo<T> type)
        {
            var answer = new StoredResponse(status, Json, null, JsonSerializer.SerializeToUtf8Bytes(value, type));
            IdempotencyStore.Complete(transaction, scope, Name, answer);
            Answer = answer;
        }
    }
}

/// <summary>An answer from its parts.</summary>
sealed class IdempotentResult(StoredResponse answer, bool replayed) : IResult
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
