using Commerce.Core.Consistency;
using Commerce.ServiceDefaults;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Commerce.Api.Consistency;

/// <summary>The consistency check, for administrators and <c>./commerce audit</c>.</summary>
static class ConsistencyEndpoints
{
    public static void MapConsistencyCheck(this IEndpointRouteBuilder app) =>
        app.MapGet("/api/admin/audit", RunAsync).WithName("RunAudit").WithSummary("Checks every invariant of the shop.").WithTags("Administration").RequireAuthorization(Policies.Admin);

    static async Task<Ok<ConsistencyReport>> RunAsync(ConsistencyCheck check, CancellationToken cancellationToken) =>
        TypedResults.Ok(await check.RunAsync(cancellationToken));
}
