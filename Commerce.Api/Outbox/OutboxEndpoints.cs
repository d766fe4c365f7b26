using System.ComponentModel.DataAnnotations;
using Commerce.Core;
using Commerce.Core.Outbox;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Commerce.Api.Outbox;

/// <summary>The outbox, for administrators.</summary>
static class OutboxEndpoints
{
    static readonly ProblemType NotFound = new(404, "outbox-message-not-found", "This outbox message does not exist.");
    static readonly ProblemType Pending = new(409, "outbox-message-pending", "The message is already waiting to be sent.");

    public static void MapOutbox(this RouteGroupBuilder administration)
    {
        var outbox = administration.MapGroup("/outbox");
        outbox.MapGet("/", ListAsync).WithName("ListOutboxMessages").WithSummary("Lists the newest outbox messages.");
        outbox.MapPost("/{id:long}/replay", ReplayAsync).WithName("ReplayOutboxMessage").WithSummary("Lets a dead or sent outbox message be sent again.")
            .Refuses(NotFound, Pending);
    }

    static async Task<Results<PageResult<OutboxEntry>, ProblemResult>> ListAsync(
        OutboxStore outbox, CancellationToken cancellationToken, string? status = null, long? before = null, [Range(1, 200)] int limit = 50)
    {
        if (status is not (null or "PENDING" or "SENT" or "DEAD"))
            return CommonProblems.Validation.ToResult(errors: new Dictionary<string, string[]> { ["status"] = ["Must be PENDING, SENT or DEAD."] });
        return Pages.Of<OutboxEntry>(await outbox.ListAsync(status, before, limit + 1, cancellationToken), limit, m => $"{m.Id}").ToResult();
    }

    static async Task<Results<Accepted, ProblemResult>> ReplayAsync(long id, OutboxStore outbox, OutboxWriter writer, CancellationToken cancellationToken)
    {
        switch (await outbox.ReplayAsync(id, cancellationToken))
        {
            case null: return NotFound.ToResult();
            case false: return Pending.ToResult();
            default:
                writer.Wake();
                return TypedResults.Accepted((string?)null);
        }
    }
}
