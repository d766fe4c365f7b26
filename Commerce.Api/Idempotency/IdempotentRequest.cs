using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Commerce.Core.Database;
using Commerce.Core.Idempotency;
using Microsoft.AspNetCore.Routing.Patterns;

namespace Commerce.Api.Idempotency;

/// <summary>
/// A request with an <c>Idempotency-Key</c>. It has one effect and one response, however often it is sent. The framework binds a
/// parameter of this type and refuses a missing or malformed header. A request claims its key, does its work, and completes the claim
/// with its response. An administrator's request may have the header if its route is marked with
/// <see cref="OptionalIdempotencyKey"/>.
/// <list type="bullet">
/// <item><see cref="CommitAsync{TBody}"/>: the work is one transaction. The claim and the response commit with it.</item>
/// <item><see cref="HoldAndCommitAsync"/>: the work holds something, such as stock, before its only transaction.</item>
/// <item><see cref="WorkAsync{TBody}"/>: the work has several transactions. The claim commits with the first, the response with the
/// last.</item>
/// <item><see cref="RunOnceAsync"/>: the work is one transaction, which does not know the response.</item>
/// </list>
/// </summary>
sealed class IdempotentRequest
{
    /// <summary>The header's name.</summary>
    public const string Header = "Idempotency-Key";

    /// <summary>The maximum number of visible ASCII characters.</summary>
    public const int MaxKeyLength = 128;

    const string Json = "application/json; charset=utf-8";

    readonly HttpContext _http;
    readonly IdempotencyStore _store;

    IdempotentRequest(HttpContext http, byte[] scope) =>
        (_http, _store, Scope) = (http, http.RequestServices.GetRequiredService<IdempotencyStore>(), scope);

    /// <summary>SHA-256 of user, route and key. All repetitions of a request have the same scope.</summary>
    public byte[] Scope { get; }

    /// <summary>Called by the framework for a parameter of an endpoint.</summary>
    public static ValueTask<IdempotentRequest?> BindAsync(HttpContext context) => new(Find(context) ?? throw new ProblemException(IdempotencyProblems.Missing));

    /// <summary>Returns null for a request without the header.</summary>
    /// <exception cref="ProblemException">The header is malformed.</exception>
    public static IdempotentRequest? Find(HttpContext context)
    {
        var values = context.Request.Headers[Header];
        if (values.Count == 0) return null;
        if (values.Count > 1 || values[0] is not { Length: >= 1 and <= MaxKeyLength } key || key.Any(c => c is < '!' or > '~'))
            throw new ProblemException(IdempotencyProblems.Invalid);
        // Route and key contain no line break.
        var scope = SHA256.HashData(Encoding.UTF8.GetBytes($"{CurrentUser.Of(context.User)!.Id}\n{RouteOf(context)}\n{key}"));
        return new IdempotentRequest(context, scope);
    }

    /// <summary>
    /// Returns the pattern of the route with the request's values. Routing ignores case, a trailing slash and percent-encoding, so one
    /// operation has many paths. The result is the usual path, so that keys stored by earlier versions of the Api stay valid.
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

    /// <summary>Returns the SHA-256 of the deserialised body, so that spaces and the order of members make no difference.</summary>
    static byte[] Hash<TBody>(TBody body) where TBody : notnull => SHA256.HashData(JsonSerializer.SerializeToUtf8Bytes(body, body.GetType(), ApiJson.Default));

    /// <summary>
    /// Runs work that is one transaction, in which <paramref name="work"/> calls <see cref="Commit.CompleteAtCommit"/>. The key is not
    /// looked up before: a known key is found when the response is added, or after a refusal. A refusal is an exception. It is not
    /// stored, because the same request may succeed later.
    /// </summary>
    public async Task<IResult> CommitAsync<TBody>(TBody body, Func<Commit, Task> work, CancellationToken cancellationToken) where TBody : notnull
    {
        var commit = new Commit(Scope, Hash(body));
        try
        {
            return await CommitAsync(commit, work, cancellationToken);
        }
        catch (ProblemException)
        {
            // An earlier request with this key may have succeeded and caused this refusal.
            if (await _store.FindAsync(Scope, cancellationToken) is { } known) return Replay(known, commit.BodyHash);
            throw;
        }
    }

    /// <summary>
    /// Runs work that holds something before its only transaction. The work calls <see cref="Commit.BeforeHoldingAsync"/> before it holds
    /// anything, and <see cref="Commit.CompleteFirst"/> in the transaction. A duplicate can cause a refusal: if a user clicks twice, the
    /// first request may hold the last unit, and the second finds none. A refused request therefore waits for its duplicate and returns
    /// the duplicate's response.
    /// </summary>
    public async Task<IResult> HoldAndCommitAsync<TBody>(TBody body, Func<Commit, Task> work, CancellationToken cancellationToken) where TBody : notnull
    {
        var inFlight = _http.RequestServices.GetRequiredService<InFlightRequests>();
        var request = Guid.NewGuid().ToString("N");
        // The call runs while the work reads its data.
        var entering = inFlight.EnterAsync(Scope, request);
        var commit = new Commit(Scope, Hash(body))
        {
            // A repetition must not hold anything, not even briefly, if it is known to be one.
            BeforeHoldingAsync = async () =>
            {
                if (await entering && await _store.FindAsync(Scope, cancellationToken) is not null) throw new IdempotencyKeyTakenException(null);
            },
        };
        try
        {
            return await CommitAsync(commit, work, cancellationToken);
        }
        // Nothing was committed, because the work was refused or failed before its transaction. In all other cases the outcome is unknown,
        // and the entry stays.
        catch (Exception e) when (e is ProblemException || commit.Response is null)
        {
            await entering;
            var hasDuplicate = await inFlight.LeaveAsync(Scope, request);
            if (e is not ProblemException { ProblemType.Status: < StatusCodes.Status500InternalServerError }) throw;
            if (await _store.FindAsync(Scope, cancellationToken, wait: hasDuplicate) is { } known) return Replay(known, commit.BodyHash);
            if (hasDuplicate) return IdempotencyProblems.InFlight.ToResult();
            throw;
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
            return Replay(await _store.FindAsync(Scope, cancellationToken), commit.BodyHash);
        }

        return new IdempotentResult(commit.Response ?? throw new InvalidOperationException("The work has not completed its answer."), replayed: false);
    }

    /// <summary>
    /// Runs work with several transactions. In the first one, <paramref name="work"/> calls <see cref="Claim.TakeAsync"/> before anything
    /// else. In the last one it may call <see cref="Claim.Complete"/>. Otherwise the response is stored after the work. Refusals are
    /// stored too, except those that can be repeated (5xx, 429, or with Retry-After) and those before the claim. The claim of a dead
    /// process is taken over and the work runs again, so it must be safe to repeat.
    /// </summary>
    public async Task<IResult> WorkAsync<TBody>(TBody body, Func<Claim, Task<IResult>> work) where TBody : notnull
    {
        var hash = Hash(body);
        for (var takesOver = false; ; takesOver = true)
        {
            try
            {
                return await WorkAsync(new Claim(Scope, hash, takesOver), work);
            }
            catch (IdempotencyKeyTakenException)
            {
                var known = await _store.FindAsync(Scope, CancellationToken.None);
                if (takesOver || known is not { Abandoned: true }) return Replay(known, hash);
            }
        }
    }

    async Task<IResult> WorkAsync(Claim claim, Func<Claim, Task<IResult>> work)
    {
        var keepsClaim = false;
        try
        {
            // The response is buffered and stored even if the caller has disconnected. The endpoint's own token still belongs to the
            // caller.
            _http.RequestAborted = CancellationToken.None;
            var result = await RunAsync(claim, work);
            var response = claim.Response ?? await BufferAsync(result);
            keepsClaim = claim.Response is not null;
            if (!keepsClaim && claim.IsTaken && IsFinal(response))
            {
                await _store.CompleteAsync(Scope, claim.Name, response, CancellationToken.None);
                keepsClaim = true;
            }

            return new IdempotentResult(response, replayed: false);
        }
        catch (IdempotencyKeyTakenException)
        {
            keepsClaim = true;
            throw;
        }
        finally
        {
            if (!keepsClaim && claim.IsTaken) await _store.ReleaseAsync(Scope, claim.Name, CancellationToken.None);
        }
    }

    /// <summary>
    /// Runs work that is one transaction. <paramref name="work"/> commits the claim with it. The response is stored afterwards. If the
    /// response is lost, the work does not run again. A refusal is not stored, because the same request may succeed later.
    /// </summary>
    public async Task<object?> RunOnceAsync(object body, Func<DeferredStatement, ValueTask<object?>> work)
    {
        var (hash, claim) = (Hash(body), Guid.NewGuid().ToString());
        if (await _store.FindAsync(Scope, _http.RequestAborted) is { } known) return Tell(known);
        object? result;
        try
        {
            result = await work(IdempotencyStore.ToClaim(Scope, hash, claim));
        }
        catch (IdempotencyKeyTakenException)
        {
            return Tell(await _store.FindAsync(Scope, _http.RequestAborted));
        }

        if (result.StatusOf() >= StatusCodes.Status400BadRequest) return result;
        var response = await BufferAsync((IResult)result!);
        await _store.CompleteAsync(Scope, claim, response, CancellationToken.None);
        return new IdempotentResult(response, replayed: false);

        IResult Tell(KnownKey? other) => other is { Abandoned: true } && other.BodyHash.AsSpan().SequenceEqual(hash)
            ? IdempotencyProblems.ResponseLost.ToResult()
            : Replay(other, hash);
    }

    bool IsFinal(StoredResponse response) => response.Status is < StatusCodes.Status500InternalServerError and not StatusCodes.Status429TooManyRequests
        && _http.Response.Headers.RetryAfter.Count == 0;

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

    /// <summary>Returns the response for a request whose key another request has claimed.</summary>
    static IResult Replay(KnownKey? known, byte[] hash) => known switch
    {
        { BodyHash: var first } when !first.AsSpan().SequenceEqual(hash) => IdempotencyProblems.Reused.ToResult(),
        { Answer: { } response } => new IdempotentResult(response, replayed: true),
        _ => IdempotencyProblems.InFlight.ToResult(),
    };

    /// <summary>A claim and its response, which commit together with the work.</summary>
    public sealed class Commit(byte[] scope, byte[] bodyHash)
    {
        public byte[] BodyHash => bodyHash;

        /// <summary>The last response. A transaction may run again and create another one.</summary>
        public StoredResponse? Response { get; private set; }

        /// <summary>Call it before anything is held.</summary>
        /// <exception cref="IdempotencyKeyTakenException">The request has a response, or is about to get one. Do not catch it.</exception>
        public Func<Task> BeforeHoldingAsync { get; init; } = () => Task.CompletedTask;

        /// <summary>
        /// Adds the response to the first command of the transaction. A duplicate waits there. If a duplicate was faster, that command
        /// throws an <see cref="IdempotencyKeyTakenException"/>. Do not catch it.
        /// </summary>
        public void CompleteFirst<T>(DbSession transaction, int status, T value, JsonTypeInfo<T> type, string? location = null) =>
            Complete(transaction, status, JsonSerializer.SerializeToUtf8Bytes(value, type), location, first: true);

        /// <summary>Adds the response to the COMMIT. The transaction must hold a lock for which a duplicate also waits.</summary>
        public void CompleteAtCommit<T>(DbSession transaction, int status, T value, JsonTypeInfo<T> type) =>
            Complete(transaction, status, JsonSerializer.SerializeToUtf8Bytes(value, type), null, first: false);

        void Complete(DbSession transaction, int status, byte[] json, string? location, bool first)
        {
            Response = new(status, Json, location, json);
            IdempotencyStore.Complete(transaction, scope, bodyHash, Response, first);
        }
    }

    /// <summary>A claim that commits with the beginning of the work, and a response that commits with its end.</summary>
    /// <param name="takesOver">Whether the claim of a dead process is taken over.</param>
    public sealed class Claim(byte[] scope, byte[] bodyHash, bool takesOver)
    {
        /// <summary>Unique per attempt.</summary>
        public string Name { get; } = Guid.NewGuid().ToString();

        /// <summary>Whether the work has called <see cref="TakeAsync"/>. An earlier refusal is not stored.</summary>
        public bool IsTaken { get; private set; }

        /// <summary>The response. Null if it is to be stored after the work.</summary>
        public StoredResponse? Response { get; private set; }

        /// <summary>
        /// Adds the claim to the transaction. Call it first. If another request with the key was faster, this call or the first command
        /// throws an <see cref="IdempotencyKeyTakenException"/>. Do not catch it.
        /// </summary>
        public Task TakeAsync(DbSession transaction)
        {
            IsTaken = true;
            if (takesOver) return IdempotencyStore.TakeOverAsync(transaction, scope, bodyHash, Name);
            IdempotencyStore.Claim(transaction, scope, bodyHash, Name);
            return Task.CompletedTask;
        }

        /// <summary>Adds the response to the COMMIT of the transaction.</summary>
        public void Complete<T>(DbSession transaction, int status, T value, JsonTypeInfo<T> type)
        {
            var response = new StoredResponse(status, Json, null, JsonSerializer.SerializeToUtf8Bytes(value, type));
            IdempotencyStore.Complete(transaction, scope, Name, response);
            Response = response;
        }
    }
}

/// <summary>A stored response.</summary>
sealed class IdempotentResult(StoredResponse stored, bool replayed) : IResult
{
    public Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        response.StatusCode = stored.Status;
        response.ContentType = stored.ContentType;
        response.ContentLength = stored.Body.Length;
        if (stored.Location is not null) response.Headers.Location = stored.Location;
        if (replayed) response.Headers["Idempotent-Replayed"] = "true";
        return response.Body.WriteAsync(stored.Body, httpContext.RequestAborted).AsTask();
    }
}

/// <summary>
/// Marks an administrators' route where a repeated request has a second effect. With an Idempotency-Key it has one effect, however
/// often it is sent.
/// </summary>
sealed class OptionalIdempotencyKey;

static class IdempotencyExtensions
{
    /// <summary>Marks the route with <see cref="OptionalIdempotencyKey"/>.</summary>
    public static RouteHandlerBuilder TakesIdempotencyKey(this RouteHandlerBuilder route) => route.WithMetadata(new OptionalIdempotencyKey());

    /// <summary>Returns the status of an endpoint's result. Null if the result has none of its own.</summary>
    public static int? StatusOf(this object? result) => ((result is INestedHttpResult nested ? nested.Result : result) as IStatusCodeHttpResult)?.StatusCode;
}
