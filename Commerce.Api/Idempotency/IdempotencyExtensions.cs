using Commerce.Core.Idempotency;
using Commerce.ServiceDefaults;

namespace Commerce.Api.Idempotency;

/// <summary>Answers requests once whose work is more than one transaction.</summary>
static class IdempotencyExtensions
{
    /// <summary>
    /// Claims the key before the endpoint runs, keeps its answer after it, refusals included, and gives it again to repetitions. An answer that
    /// says "come again" (5xx, 429, or with Retry-After) is not kept. After a crash the request runs again: the endpoint must be safe to repeat.
    /// It has a parameter <see cref="IdempotentRequest"/>.
    /// </summary>
    /// <typeparam name="TBody">The parameter that is the body.</typeparam>
    public static RouteHandlerBuilder Idempotent<TBody>(this RouteHandlerBuilder route) => route.AddEndpointFilterFactory((factory, next) =>
    {
        var store = factory.ApplicationServices.GetRequiredService<IdempotencyStore>();
        return async context =>
        {
            var http = context.HttpContext;
            var scope = context.Arguments.OfType<IdempotentRequest>().Single().Scope;
            var hash = IdempotentRequest.Hash(context.Arguments.OfType<TBody>().Single());
            if (await store.ClaimAsync(scope, hash, http.RequestAborted) is not { } claim)
                return await store.FindAsync(scope, http.RequestAborted) is { } known ? IdempotentRequest.Replay(known, hash) : IdempotentRequest.InFlight();

            var kept = false;
            try
            {
                // The answer is written into a buffer and kept, also where nobody waits for it any more. The token that the endpoint was given is still
                // the caller's: what must go to its end passes another one on.
                http.RequestAborted = CancellationToken.None;
                var answer = await BufferAsync(http, await RunAsync(context, next));
                if (answer.Status < StatusCodes.Status500InternalServerError && answer.Status != StatusCodes.Status429TooManyRequests
                    && http.Response.Headers.RetryAfter.Count == 0)
                {
                    await store.CompleteAsync(scope, claim, answer, CancellationToken.None);
                    kept = true;
                }

                return new IdempotentResult(answer, replayed: false);
            }
            finally
            {
                if (!kept) await store.ReleaseAsync(scope, claim, CancellationToken.None);
            }
        };
    });

    static async Task<IResult> RunAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        try
        {
            return (IResult)(await next(context))!;
        }
        catch (ProblemException e) when (e.Problem.Status < StatusCodes.Status500InternalServerError)
        {
            return e.Problem.ToResult(e.Detail, e.RetryAfter);
        }
    }

    static async Task<StoredAnswer> BufferAsync(HttpContext http, IResult result)
    {
        var response = http.Response;
        var (body, buffer) = (response.Body, new MemoryStream());
        response.Body = buffer;
        try
        {
            await result.ExecuteAsync(http);
        }
        finally
        {
            response.Body = body;
        }

        return new(response.StatusCode, response.ContentType ?? "application/json", response.Headers.Location, buffer.ToArray());
    }
}
