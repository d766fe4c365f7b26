using Commerce.Core.Auditing;
using Commerce.ServiceDefaults;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Commerce.Api.Auditing;

/// <summary>The audit, for administrators and <c>./commerce audit</c>.</summary>
static class AuditEndpoints
{
    public static void MapAudit(this IEndpointRouteBuilder app) =>
        app.MapGet("/api/admin/audit", RunAsync).WithTags("Administration").RequireAuthorization(Policies.Admin);

    static async Task<Ok<AuditReport>> RunAsync(Audit audit, CancellationToken cancellationToken) =>
        TypedResults.Ok(await audit.RunAsync(cancellationToken));
}
