using Commerce.Core.Database;

namespace Commerce.Core.Orders;

/// <summary>The states of the delivery of a paid order.</summary>
public static class FulfilmentState
{
    /// <summary>The order is being packed.</summary>
    public const string Preparing = "PREPARING";
    /// <summary>The carrier has the order.</summary>
    public const string Shipped = "SHIPPED";
    /// <summary>The customer has the order.</summary>
    public const string Delivered = "DELIVERED";

    /// <summary>All states, in their order.</summary>
    public static IReadOnlyList<string> All { get; } = [Preparing, Shipped, Delivered];
}

/// <summary>Something that happened to an order.</summary>
/// <param name="State"><c>CREATED</c>, <c>PAID</c>, <c>PREPARING</c>, <c>SHIPPED</c>, <c>DELIVERED</c>, <c>CANCELLED</c> (by an
/// administrator), or <c>REFUND_</c> with the status of a refund.</param>
/// <param name="Actor">The user or administrator who did it.</param>
/// <param name="Amount">The amount of a refund, in whole KRW.</param>
public sealed record OrderStep(string State, DateTime At, string Actor, string? TrackingNumber, string? Reason, long? Amount);

/// <summary>The delivery of paid orders. Each state follows the one before it.</summary>
public sealed class OrderFulfilment(MySqlDatabase database, OrderRepository orders)
{
    /// <summary>
    /// Takes an order to its next state. A repeated call changes nothing. While the order is shipped, a new tracking number replaces the
    /// old one.
    /// </summary>
    /// <exception cref="ProblemException">The order does not exist, or cannot take this step.</exception>
    public async Task AdvanceAsync(string orderId, string state, string? trackingNumber, string actor, CancellationToken cancellationToken)
    {
        var problem = await database.ExecuteInTransactionAsync(async transaction =>
        {
            var order = await transaction.SingleAsync<Progress>("""
                SELECT o.status AS Status, o.pinned AND o.status = 'PENDING_PAYMENT' AS Pinned, o.holding AS Holding, o.fulfilment AS Fulfilment, o.tracking_number AS TrackingNumber,
                       EXISTS (SELECT 1 FROM payment p JOIN refund r ON r.open_payment = p.id WHERE p.order_id = o.id AND r.expected_rest = 0) AS Ending
                FROM orders o WHERE o.id = @orderId FOR UPDATE OF o
                """, new { orderId });
            if (order is null) return new ProblemException(OrderProblems.NotFound);
            if (order.Fulfilment == state && order.TrackingNumber == (trackingNumber ?? order.TrackingNumber)) return null;
            if (order.Pinned == 1) return new(OrderProblems.NotFulfillable, "The order is being paid. Try again.", TimeSpan.FromSeconds(1));
            if (order.Status != OrderState.Paid) return new(OrderProblems.NotFulfillable, $"The order is {order.Status}.");
            // The gateway may still refuse the refund.
            if (order.Ending == 1) return new(OrderProblems.NotFulfillable, "The order is being refunded. Try again.", TimeSpan.FromSeconds(1));
            if (order.Holding) return new(OrderProblems.NotFulfillable, "The stock of the order is not deducted yet. Try again.", TimeSpan.FromSeconds(1));
            var corrects = order.Fulfilment == state && state == FulfilmentState.Shipped;
            var next = order.Fulfilment switch
            {
                null => FulfilmentState.Preparing,
                FulfilmentState.Preparing => FulfilmentState.Shipped,
                FulfilmentState.Shipped => FulfilmentState.Delivered,
                _ => null,
            };
            if (!corrects && state != next)
                return new(OrderProblems.NotFulfillable, next is null ? "The order is delivered." : $"The order is {order.Fulfilment ?? OrderState.Paid}; its next step is {next}.");
            await transaction.ExecuteAsync("""
                UPDATE orders SET changes = changes + 1, fulfilment = @state, tracking_number = COALESCE(@trackingNumber, tracking_number) WHERE id = @orderId;
                INSERT INTO order_step (order_id, state, tracking_number, actor) VALUES (@orderId, @state, @trackingNumber, @actor)
                """, new { orderId, state, trackingNumber, actor });
            await orders.PublishAsync(transaction, [orderId]);
            return null;
        }, cancellationToken);
        if (problem is not null) throw problem;
        orders.Wake();
    }

    /// <summary>Lists what happened to an order, in the order of time.</summary>
    public Task<IReadOnlyList<OrderStep>> ListAsync(string orderId, CancellationToken cancellationToken) =>
        database.QueryAsync<OrderStep>("""
            SELECT h.state AS State, h.at AS At, h.actor AS Actor, h.tracking_number AS TrackingNumber, h.reason AS Reason, h.amount AS Amount FROM (
              SELECT 0 AS rank_, 'CREATED' AS state, created_at AS at, user_id AS actor, NULL AS tracking_number, NULL AS reason, NULL AS amount FROM orders WHERE id = @orderId
              UNION ALL SELECT 1, 'PAID', paid_at, user_id, NULL, NULL, NULL FROM orders WHERE id = @orderId AND paid_at IS NOT NULL
              UNION ALL SELECT 2, state, created_at, actor, tracking_number, reason, NULL FROM order_step WHERE order_id = @orderId
              UNION ALL SELECT 3, CONCAT('REFUND_', r.status), COALESCE(r.ended_at, r.created_at), r.requested_by, NULL, r.reason, r.amount
              FROM payment p JOIN refund r ON r.payment_id = p.id WHERE p.order_id = @orderId
            ) h ORDER BY h.at, h.rank_
            """, new { orderId }, cancellationToken);

    sealed record Progress(string Status, long Pinned, bool Holding, string? Fulfilment, string? TrackingNumber, long Ending);
}
