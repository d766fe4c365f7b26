using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using Commerce.Api.Idempotency;
using Commerce.Core;
using Commerce.Core.Inventory;
using Commerce.Core.Orders;
using Commerce.Core.WaitingRoom;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Options;

namespace Commerce.Api.Orders;

/// <summary>Orders for members.</summary>
static class OrderEndpoints
{
    public static void MapOrders(this IEndpointRouteBuilder app)
    {
        var orders = app.MapGroup("/api/orders").WithTags("Orders").RequireAuthorization(Policies.Member);
        orders.MapPost("/", PlaceAsync).WithName("PlaceOrder").WithSummary("Places an order and reserves its stock. An order of 0 won is paid by its coupon at once.").LimitPerUser().Produces<PlacedOrder>(StatusCodes.Status201Created)
            .Refuses(InventoryProblems.ProductNotFound, InventoryProblems.OutOfStock, InventoryProblems.AboveCustomerLimit, OrderProblems.TooManyUnpaid, OrderProblems.CouponNotUsable, OrderProblems.CouponPending, InventoryProblems.GateClosed,
                OrderProblems.CouponNotValidYet, OrderProblems.CouponExpired, OrderProblems.CouponNotApplicable, OrderProblems.CouponBelowMinimum, OrderProblems.BelowMinPayment, OrderProblems.AboveMaxPayment,
                WaitingRoomProblems.PassRequired);
        orders.MapGet("/", ListAsync).WithName("ListOrders").WithSummary("Lists the orders of the user.").WithMetadata(Paging.HasPages);
        orders.MapGet("/{id}", FindAsync).WithName("GetOrder").WithSummary("Returns an order of the user.")
            .Refuses(OrderProblems.NotFound);
        orders.MapPost("/{id}/cancel", CancelAsync).WithName("CancelOrder").WithSummary("Cancels an unpaid order.").LimitPerUser(Budget.Payments)
            .Refuses(OrderProblems.NotFound, OrderProblems.NotCancellable);
    }

    static async Task<IResult> PlaceAsync(
        OrderRequest request, IdempotentRequest idempotent, CurrentUser user, OrderService orders, WaitingRooms rooms, IOptions<OrderOptions> options,
        CancellationToken cancellationToken,
        [FromHeader(Name = WaitingRoomPass.Header), Description("The passes of waiting rooms, separated by commas: one for each product that is sold through one.")] string? passes = null)
    {
        if (request.Validate(options.Value) is { Count: > 0 } errors) return CommonProblems.Validation.ToResult(errors: errors);
        return await idempotent.HoldAndCommitAsync(request, commit => orders.PlaceAsync(user.Id, request, async () =>
        {
            // A repetition gets the stored response even after the pass has expired.
            await commit.BeforeHoldingAsync();
            await rooms.RequirePassesAsync(user.Id, request.Lines().Select(l => l.ProductId), passes);
        }, (transaction, placed) => commit.CompleteFirst(
            transaction, StatusCodes.Status201Created, placed, ApiJson.Default.PlacedOrder, $"/api/orders/{placed.OrderId}"), cancellationToken), cancellationToken);
    }

    static async Task<Ok<OrderPage>> ListAsync(
        CurrentUser user, OrderRepository repository, HttpContext http, CancellationToken cancellationToken, [Id] string? cursor = null, [Range(1, 100)] int limit = 20)
    {
        var (orders, next) = Pages.Of<Order>(await repository.ListAsync(user.Id, null, null, cursor, limit + 1, cancellationToken), limit, o => $"{o.Id}");
        http.LinkNext("cursor", next);
        return TypedResults.Ok(new OrderPage(
            [.. orders.Select(o => new OrderSummary(o.Id, o.Status, o.TotalAmount, o.RefundedAmount, o.Refundable, o.HoldExpiresAt, o.CreatedAt, o.Fulfilment, o.TrackingNumber))], next));
    }

    static async Task<Results<Ok<OrderDetail>, ProblemResult>> FindAsync(string id, CurrentUser user, OrderRepository repository, CancellationToken cancellationToken)
    {
        if (await repository.FindAsync(id, user.Id, cancellationToken) is not { } order) return OrderProblems.NotFound.ToResult();
        return TypedResults.Ok(await order.ReadDetailAsync(repository, cancellationToken));
    }

    /// <summary>Reads all details of an order.</summary>
    public static async Task<OrderDetail> ReadDetailAsync(this Order order, OrderRepository repository, CancellationToken cancellationToken)
    {
        var items = await repository.ListItemsAsync(order.Id, cancellationToken);
        var shipping = await repository.FindShippingAsync(order.Id, cancellationToken);
        return new(
            order.Id, order.Status, order.TotalAmount, order.Discount, order.RefundedAmount, order.Refundable, order.CouponId, order.HoldExpiresAt,
            order.CreatedAt, order.PaidAt, order.Fulfilment, order.TrackingNumber,
            [.. items.Zip(items.SplitAmounts(order.Discount), (i, amount) => new OrderLineDetail(
                i.ProductId, i.Quantity, i.Price, amount, i.RefundedQuantity, i.RefundedAmount, LineState.Of(i, order.Status)))], shipping);
    }

    static async Task<Ok<OrderStatus>> CancelAsync(string id, CurrentUser user, OrderService orders, CancellationToken cancellationToken)
    {
        await orders.CancelAsync(id, user.Id, cancellationToken);
        return TypedResults.Ok(new OrderStatus(id, OrderState.Cancelled));
    }
}

/// <summary>A page of the user's orders, newest first.</summary>
/// <param name="NextCursor">The cursor of the next page, or null on the last page.</param>
sealed record OrderPage(IReadOnlyList<OrderSummary> Items, string? NextCursor);

/// <summary>An order in a list.</summary>
/// <param name="TotalAmount">The amount to pay, in whole KRW.</param>
/// <param name="RefundedAmount">The amount refunded here or at the gateway, in whole KRW.</param>
/// <param name="Refundable">The amount that can be refunded now, in whole KRW.</param>
/// <param name="Fulfilment"><c>PREPARING</c>, <c>SHIPPED</c> or <c>DELIVERED</c>; null before the delivery begins.</param>
sealed record OrderSummary(
    string OrderId, string Status, long TotalAmount, long RefundedAmount, long Refundable, DateTime HoldExpiresAt, DateTime CreatedAt,
    string? Fulfilment, string? TrackingNumber);

/// <summary>All details of an order.</summary>
/// <param name="TotalAmount">The amount to pay after the discount, in whole KRW. 0 if a coupon pays the order.</param>
/// <param name="RefundedAmount">The amount refunded here or at the gateway, in whole KRW.</param>
/// <param name="Refundable">The amount that can be refunded now, in whole KRW.</param>
/// <param name="Fulfilment"><c>PREPARING</c>, <c>SHIPPED</c> or <c>DELIVERED</c>; null before the delivery begins.</param>
/// <param name="Shipping">Null after the address was deleted (<c>Retention:Shipping</c>).</param>
sealed record OrderDetail(
    string OrderId, string Status, long TotalAmount, long Discount, long RefundedAmount, long Refundable, long? CouponId, DateTime HoldExpiresAt, DateTime CreatedAt, DateTime? PaidAt,
    string? Fulfilment, string? TrackingNumber, IReadOnlyList<OrderLineDetail> Items, Shipping? Shipping);

/// <summary>A line of an order.</summary>
/// <param name="Price">The price per unit at the time of the order, in whole KRW.</param>
/// <param name="Amount">The amount paid for the line, in whole KRW. Lines that the coupon applies to share the discount.</param>
/// <param name="RefundedQuantity">The units that were refunded by line.</param>
/// <param name="RefundedAmount">The amount that these refunds returned, in whole KRW.</param>
/// <param name="State"><c>ORDERED</c>, <c>PARTIALLY_REFUNDED</c> or <c>REFUNDED</c>.</param>
sealed record OrderLineDetail(long ProductId, int Quantity, long Price, long Amount, int RefundedQuantity, long RefundedAmount, string State);

/// <summary>The current status of an order.</summary>
sealed record OrderStatus(string OrderId, string Status);
