using System.ComponentModel.DataAnnotations;
using Commerce.Api.Administration;
using Commerce.Api.Payments;
using Commerce.Core;
using Commerce.Core.Orders;
using Commerce.Core.Payments;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Commerce.Api.Orders;

/// <summary>Orders of all users, for administrators.</summary>
static class OrderAdministrationEndpoints
{
    public static void MapOrderAdministration(this RouteGroupBuilder administration)
    {
        var orders = administration.MapGroup("/orders");
        orders.MapGet("/", ListAsync).WithName("ListAllOrders").WithSummary("Lists the orders of all users, of one, or of a recipient.");
        orders.MapGet("/{id}", FindAsync).WithName("GetAnyOrder").WithSummary("Returns an order with its lines, address, payment and history.")
            .Refuses(OrderProblems.NotFound);
        orders.MapPost("/{id}/fulfilment", AdvanceAsync).WithName("AdvanceOrder").WithSummary("Takes a paid order to its next state: PREPARING, SHIPPED, DELIVERED.")
            .Refuses(OrderProblems.NotFound, OrderProblems.NotFulfillable);
        orders.MapPost("/{id}/cancel", CancelAsync).WithName("CancelOrderForCustomer").WithSummary("Cancels an unpaid order on behalf of its customer.")
            .Refuses(OrderProblems.NotFound, OrderProblems.NotCancellable);
        orders.MapPost("/{id}/refund", PaymentEndpoints.RefundAnyAsync).WithName("RefundOrderForCustomer").WithSummary("Refunds a paid order on behalf of its customer.").Produces<RefundedPayment>()
            .Refuses(PaymentEndpoints.RefundRefusals);
        orders.MapPost("/{id}/announce", AnnounceAsync).WithName("AnnounceOrder").WithSummary("Publishes ORDER_PLACED of a paid order again.")
            .Refuses(OrderProblems.NotFound, OrderProblems.NotWaiting);
    }

    static async Task<Results<PageResult<Order>, ProblemResult>> ListAsync(
        OrderRepository repository, CancellationToken cancellationToken, string? userId = null, string? status = null, string? recipient = null,
        [Id] string? before = null, [Range(1, 200)] int limit = 50)
    {
        var errors = new Dictionary<string, string[]>();
        if (status is not null && !OrderState.All.Contains(status)) errors["status"] = [$"Must be one of {string.Join(", ", OrderState.All)}."];
        var search = recipient is null ? null : RecipientSearch.Of(recipient);
        if (recipient is not null && search is null) errors["recipient"] = ["Must be the beginning of a name, with at least 2 characters, or of a telephone number, with at least 4 digits."];
        if (errors.Count > 0) return CommonProblems.Validation.ToResult(errors: errors);
        var orders = await repository.ListAsync(userId is null ? null : UserId.OfText(userId), status, search, before, limit + 1, cancellationToken);
        return Pages.Of<Order>(orders, limit, o => $"{o.Id}").ToResult();
    }

    static async Task<Results<Ok<AnyOrder>, ProblemResult>> FindAsync(
        string id, OrderRepository repository, PaymentRepository payments, OrderFulfilment fulfilment, CancellationToken cancellationToken)
    {
        if (await repository.FindAsync(id, null, cancellationToken) is not { } order) return OrderProblems.NotFound.ToResult();
        return TypedResults.Ok(new AnyOrder(
            order.UserId, await order.ReadDetailAsync(repository, cancellationToken),
            await payments.FindAsync(id, cancellationToken) is { } payment ? await payment.ReadDetailAsync(payments, cancellationToken) : null,
            await fulfilment.ListAsync(id, cancellationToken)));
    }

    static async Task<Results<Ok<AnyOrder>, ProblemResult>> AdvanceAsync(
        string id, FulfilmentRequest request, CurrentUser user, OrderRepository repository, PaymentRepository payments, OrderFulfilment fulfilment,
        CancellationToken cancellationToken)
    {
        if (request.Validate() is { Count: > 0 } errors) return CommonProblems.Validation.ToResult(errors: errors);
        await fulfilment.AdvanceAsync(id, request.State, request.TrackingNumber, user.Id, cancellationToken);
        return await FindAsync(id, repository, payments, fulfilment, cancellationToken);
    }

    static async Task<Results<Ok<OrderStatus>, ProblemResult>> CancelAsync(
        string id, CancelRequest request, CurrentUser user, OrderService orders, CancellationToken cancellationToken)
    {
        if (request.Validate() is { Count: > 0 } errors) return CommonProblems.Validation.ToResult(errors: errors);
        await orders.CancelForCustomerAsync(id, user.Id, request.Reason, cancellationToken);
        return TypedResults.Ok(new OrderStatus(id, OrderState.Cancelled));
    }

    /// <summary>Publishes <c>ORDER_PLACED</c> of a paid order again if its message is dead.</summary>
    static async Task<Results<Accepted, ProblemResult>> AnnounceAsync(
        string id, OrderRepository repository, OrderReconciler reconciler, CancellationToken cancellationToken)
    {
        if (await repository.FindAsync(id, null, cancellationToken) is null) return OrderProblems.NotFound.ToResult();
        return await reconciler.AnnounceAsync(id, cancellationToken) ? TypedResults.Accepted((string?)null) : OrderProblems.NotWaiting.ToResult();
    }
}

/// <summary>An order of any user.</summary>
/// <param name="Payment">Null before the payment is prepared.</param>
/// <param name="History">What happened to the order, in the order of time.</param>
sealed record AnyOrder(string UserId, OrderDetail Order, PaymentDetail? Payment, IReadOnlyList<OrderStep> History);

/// <summary>The next state of an order's delivery.</summary>
/// <param name="State"><c>PREPARING</c>, <c>SHIPPED</c> or <c>DELIVERED</c>.</param>
/// <param name="TrackingNumber">With <c>SHIPPED</c>: 1 to 64 visible ASCII characters.</param>
sealed record FulfilmentRequest(string State, string? TrackingNumber = null)
{
    public Dictionary<string, string[]> Validate()
    {
        var errors = TrackingNumber is null ? [] : PaymentFields.Check(("trackingNumber", TrackingNumber, 64));
        if (!FulfilmentState.All.Contains(State)) errors["state"] = [$"Must be one of {string.Join(", ", FulfilmentState.All)}."];
        else if ((State == FulfilmentState.Shipped) != (TrackingNumber is not null)) errors["trackingNumber"] = ["Required with SHIPPED, and only with it."];
        return errors;
    }
}

/// <summary>The cancellation of a customer's order.</summary>
/// <param name="Reason">The reason: 1 to 200 characters.</param>
sealed record CancelRequest(string Reason) : IReasoned
{
    public Dictionary<string, string[]> Validate()
    {
        var errors = new Dictionary<string, string[]>();
        DisplayText.Check(errors, "reason", Reason, 200);
        return errors;
    }
}
