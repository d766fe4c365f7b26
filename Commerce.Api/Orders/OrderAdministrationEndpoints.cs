using Commerce.Core.Orders;
using Commerce.ServiceDefaults;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Commerce.Api.Orders;

/// <summary>Orders of everybody, for administrators.</summary>
static class OrderAdministrationEndpoints
{
    public static void MapOrderAdministration(this IEndpointRouteBuilder app) =>
        app.MapGroup("/api/admin/orders").WithTags("Administration").RequireAuthorization(Policies.Admin).MapGet("/", ListAsync);

    static async Task<Ok<IReadOnlyList<Order>>> ListAsync(
        OrderLedger ledger, CancellationToken cancellationToken, string? userId = null, string? status = null, string? before = null, int limit = 50) =>
        TypedResults.Ok(await ledger.ListAsync(userId, status, before, Math.Clamp(limit, 1, 200), cancellationToken));
}
