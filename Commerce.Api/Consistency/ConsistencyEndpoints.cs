using Commerce.Core.Consistency;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Commerce.Api.Consistency;

/// <summary>The consistency check, for administrators and <c>./commerce audit</c>.</summary>
static class ConsistencyEndpoints
{
    public static void MapConsistencyCheck(this RouteGroupBuilder administration) =>
        administration.MapGet("/audit", RunAsync).WithName("RunAudit").WithSummary("Checks every invariant of the shop.");

    static async Task<Ok<ConsistencyReport>> RunAsync(ConsistencyCheck check, CancellationToken cancellationToken) =>
        TypedResults.Ok(await check.RunAsync(cancellationToken));
}
