using System.ComponentModel.DataAnnotations;
using Commerce.Core;
using Commerce.Core.Messaging;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Commerce.Api.Messaging;

/// <summary>Dead letters, for administrators.</summary>
static class DeadLetterEndpoints
{
    static readonly ProblemType NotFound = new(404, "dead-letter-not-found", "This dead letter does not exist.");

    public static void MapDeadLetters(this RouteGroupBuilder administration)
    {
        var letters = administration.MapGroup("/dead-letters");
        letters.MapGet("/", ListAsync).WithName("ListDeadLetters").WithSummary("Lists the newest dead letters.");
        letters.MapPost("/{id:long}/replay", ReplayAsync).WithName("ReplayDeadLetter").WithSummary("Publishes a dead letter to its topic again.")
            .Refuses(NotFound);
    }

    static async Task<PageResult<DeadLetter>> ListAsync(
        DeadLetterStore store, CancellationToken cancellationToken, long? before = null, [Range(1, 200)] int limit = 50) =>
        Pages.Of<DeadLetter>(await store.ListAsync(before, limit + 1, cancellationToken), limit, l => $"{l.Id}").ToResult();

    static async Task<Results<Accepted, ProblemResult>> ReplayAsync(long id, DeadLetterStore store, CancellationToken cancellationToken) =>
        await store.ReplayAsync(id, cancellationToken) ? TypedResults.Accepted((string?)null) : NotFound.ToResult();
}
