using System.ComponentModel.DataAnnotations;
using Commerce.Core;
using Commerce.Core.Orders;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Commerce.Api.Orders;

/// <summary>Orders of all users, for administrators.</summary>
static class OrderAdministrationEndpoints
{
    public static void MapOrderAdministration(this RouteGroupBuilder administration)
    {
        var orders = administration.MapGroup("/orders");
        orders.MapGet("/", ListAsync).WithName("ListAllOrders").WithSummary("Lists the orders of all users.");
        orders.MapPost("/{id}/announce", AnnounceAsync).WithName("AnnounceOrder").WithSummary("Publishes ORDER_PLACED of a paid order again.")
            .Refuses(OrderProblems.NotFound, OrderProblems.NotWaiting);
    }

    static async Task<Results<PageResult<Order>, ProblemResult>> ListAsync(
        OrderRepository repository, CancellationToken cancellationToken, string? userId = null, string? status = null, [Id] string? before = null,
        [Range(1, 200)] int limit = 50)
    {
        if (status is not null && !OrderState.All.Contains(status))
            return CommonProblems.Validation.ToResult(errors: new Dictionary<string, string[]> { ["status"] = [$"Must be one of {string.Join(", ", OrderState.All)}."] });
        var orders = await repository.ListAsync(userId is null ? null : UserId.OfText(userId), status, before, limit + 1, cancellationToken);
        return Pages.Of<Order>(orders, limit, o => $"{o.Id}").ToResult();
    }

    /// <summary>Publishes <c>ORDER_PLACED</c> of a paid order again if its message is dead.</summary>
    static async Task<Results<Accepted, ProblemResult>> AnnounceAsync(
        string id, OrderRepository repository, OrderReconciler reconciler, CancellationToken cancellationToken)
    {
        if (await repository.FindAsync(id, null, cancellationToken) is null) return OrderProblems.NotFound.ToResult();
        return await reconciler.AnnounceAsync(id, cancellationToken) ? TypedResults.Accepted((string?)null) : OrderProblems.NotWaiting.ToResult();
    }
}
