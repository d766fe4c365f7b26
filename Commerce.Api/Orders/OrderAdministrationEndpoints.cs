using System.ComponentModel.DataAnnotations;
using Commerce.Core.Orders;
using Commerce.ServiceDefaults;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Commerce.Api.Orders;

/// <summary>Orders of everybody, for administrators.</summary>
static class OrderAdministrationEndpoints
{
    public static void MapOrderAdministration(this IEndpointRouteBuilder app) =>
        app.MapGroup("/api/admin/orders").WithTags("Administration").RequireAuthorization(Policies.Admin).MapGet("/", ListAsync);

    static async Task<Results<Ok<IReadOnlyList<Order>>, ProblemResult>> ListAsync(
        OrderLedger ledger, CancellationToken cancellationToken, string? userId = null, string? status = null, [Id] string? before = null,
        [Range(1, 200)] int limit = 50)
    {
        if (status is not null && !OrderState.All.Contains(status))
            return CommonProblems.Validation.ToResult(errors: new Dictionary<string, string[]> { ["status"] = [$"One of {string.Join(", ", OrderState.All)}."] });
        return TypedResults.Ok(await ledger.ListAsync(userId, status, before, limit, cancellationToken));
    }
}
