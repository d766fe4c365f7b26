using Commerce.Core.Database;
using Commerce.Core.Inventory;
using Commerce.Core.Outbox;
using Microsoft.Extensions.Options;

namespace Commerce.Core.Orders;

/// <summary>
/// The status of orders. Every step is one conditional update. If two steps conflict (cancel and payment, payment and expiry), only
/// one of them finds the row. MySQL's clock decides whether a hold is alive. Every step increments the number of changes of the
/// order.
/// </summary>
public sealed class OrderRepository(MySqlDatabase database, OutboxWriter outbox, IOptions<OrderOptions> options) : IHoldOwners
{
    /// <summary>
    /// Finds an order of this user, or of any user if <paramref name="userId"/> is null. Returns null if there is none.
    /// </summary>
    public Task<Order?> FindAsync(string orderId, string? userId, CancellationToken cancellationToken) =>
        database.SingleAsync<Order>(
            $"SELECT {Order.Columns} FROM {Order.Rows} WHERE o.id = @orderId AND o.user_id = COALESCE(@userId, o.user_id)", new { orderId, userId }, cancellationToken);

    /// <summary>Lists the lines of an order, by product.</summary>
    public Task<IReadOnlyList<OrderItem>> ListItemsAsync(string orderId, CancellationToken cancellationToken) =>
        database.QueryAsync<OrderItem>($"SELECT {OrderItem.Columns} FROM order_item WHERE order_id = @orderId ORDER BY product_id", new { orderId }, cancellationToken);

    /// <summary>Finds the shipping address of an order.</summary>
    public Task<Shipping?> FindShippingAsync(string orderId, CancellationToken cancellationToken) =>
        database.SingleAsync<Shipping>("""
            SELECT recipient AS Recipient, phone AS Phone, zipcode AS Zipcode, address1 AS Address1, address2 AS Address2
            FROM shipping_info WHERE order_id = @orderId
            """, new { orderId }, cancellationToken);

    /// <summary>
    /// Lists orders with an id below <paramref name="before"/>, newest first (empty for the first page). Null means any user, status or
    /// recipient.
    /// </summary>
    public Task<IReadOnlyList<Order>> ListAsync(
        string? userId, string? status, RecipientSearch? recipient, string? before, int limit, CancellationToken cancellationToken) =>
        // Unused conditions are omitted, because MySQL would not use an index with them.
        database.QueryAsync<Order>($"""
            SELECT {Order.Columns} FROM {Order.Rows}
            {(recipient is null ? "" : $"JOIN shipping_info s FORCE INDEX ({recipient.Index}) ON s.order_id = o.id AND s.{recipient.Column} LIKE @prefix")}
            WHERE TRUE {(userId is null ? "" : "AND o.user_id = @userId")} {(status is null ? "" : "AND o.status = @status")} {(before is not { Length: > 0 } ? "" : "AND o.id < @before")}
            ORDER BY o.id DESC LIMIT @limit
            """, new { userId, status, prefix = recipient?.Prefix, before, limit }, cancellationToken);

    /// <summary>The condition that <c>@userId</c> can pay <c>@amount</c> for <c>@orderId</c>.</summary>
    public const string Payable = """
        id = @orderId AND user_id = @userId AND total_amount = @amount AND status IN ('CREATED', 'PENDING_PAYMENT') AND NOT pinned
          AND hold_expires_at > UTC_TIMESTAMP(6)
        """;

    // The steps of a payment are SQL texts, because each is sent together with the statements of the payment. A round trip costs more
    // than the rows. The order's statement comes first and locks the row of the order.

    /// <summary>
    /// <c>CREATED → PENDING_PAYMENT</c> while the hold is alive. The first call extends the hold to <c>@extension</c> µs from now. A
    /// pending order does not change. No row is found if the order is not <see cref="Payable"/>.
    /// </summary>
    public const string Prepare = $"""
        UPDATE orders
        SET changes = changes + (status = 'CREATED'), status = 'PENDING_PAYMENT',
            hold_expires_at = IF(extended, hold_expires_at, GREATEST(hold_expires_at, UTC_TIMESTAMP(6) + INTERVAL @extension MICROSECOND)),
            extended = TRUE
        WHERE {Payable}
        """;

    /// <summary>
    /// The condition to set <c>o.pinned = TRUE</c> before the gateway is called. A pinned order can neither be cancelled nor expire. The
    /// condition is false if the order cannot be paid, its hold has expired, or another attempt is running.
    /// </summary>
    public const string Pinnable = "o.status = 'PENDING_PAYMENT' AND NOT o.pinned AND o.hold_expires_at > UTC_TIMESTAMP(6)";

    /// <summary>The gateway captured nothing. The order is payable again while its hold is alive.</summary>
    public const string Unpin = """
        UPDATE orders SET pinned = FALSE WHERE id = @OrderId AND status = 'PENDING_PAYMENT'
        """;

    /// <summary>Counts a change that no step above makes, such as a partial refund.</summary>
    public const string NoteChange = "UPDATE orders SET changes = changes + 1 WHERE id = @orderId";

    /// <summary>
    /// Uses the coupon of a paid order and adds <c>ORDER_PLACED</c> to the outbox. Wake the relay after the commit. Repeated calls are
    /// safe.
    /// </summary>
    public static async Task AnnounceAsync(DbSession transaction, string orderId)
    {
        var lines = await transaction.QueryAsync<PaidLine>($"{PaidLine.Select} ORDER BY i.product_id", new { orderId });
        if (lines[0].CouponId is { } usedCoupon) await transaction.ExecuteAsync(UseCoupon, UseCouponParameters(orderId, lines[0].UserId, usedCoupon));
        await OutboxWriter.AddAsync(transaction, ToMessage(orderId, lines));
    }

    /// <summary>
    /// Like <see cref="AnnounceAsync"/>, but with the COMMIT, for a transaction that has just paid this order and no other.
    /// </summary>
    internal void AnnounceAtCommit(DbSession transaction, string orderId, IReadOnlyList<PaidLine> lines)
    {
        var order = lines[0];
        if (order.CouponId is { } usedCoupon) transaction.AtCommit(UseCoupon, UseCouponParameters(orderId, order.UserId, usedCoupon));
        var placed = ToMessage(orderId, lines);
        OutboxWriter.AddAtCommit(transaction, options.Value.PublishChanges
            ? [placed, new OrderChanged(orderId, order.Changes, OrderState.Paid, order.UserId, order.TotalAmount, 0, null, null, order.PaidAt).ToMessage()] : [placed]);
    }

    const string UseCoupon = """
        UPDATE coupon_issue SET used_at = UTC_TIMESTAMP(6)
        WHERE coupon_id = @usedCoupon AND user_id = @usedBy AND order_id = @usedFor AND used_at IS NULL
        """;

    static object UseCouponParameters(string usedFor, string usedBy, long usedCoupon) => new { usedCoupon, usedBy, usedFor };

    static OutboxMessage ToMessage(string orderId, IReadOnlyList<PaidLine> lines) => new OrderPlaced(
        orderId, lines[0].UserId, lines[0].TotalAmount, [.. lines.Select(l => new OrderLine(l.ProductId, l.Quantity))]).ToMessage();

    /// <summary>
    /// Cancels an unpaid order of this user, or of any user if <paramref name="userId"/> is null. Returns false if the order is paid, is
    /// being paid, or has ended.
    /// </summary>
    public async Task<bool> CancelAsync(DbSession transaction, string orderId, string? userId)
    {
        if (await transaction.ExecuteAsync("""
                UPDATE orders SET changes = changes + 1, status = 'CANCELLED', holding = FALSE
                WHERE id = @orderId AND user_id = COALESCE(@userId, user_id) AND status IN ('CREATED', 'PENDING_PAYMENT') AND NOT pinned
                """, new { orderId, userId }) == 0) return false;
        await FreeCouponsAsync(transaction, [orderId]);
        await PublishAsync(transaction, [orderId]);
        return true;
    }

    /// <summary>
    /// Records a refund by line, and returns the units to the stock that the refund restocks. The stock of the order must be deducted and
    /// its row locked. Pass the result to <see cref="InventoryRepository.ReturnAsync"/> after the commit.
    /// </summary>
    public static async Task<StockReturn> RefundLinesAsync(DbSession transaction, string orderId, string refundId, IReadOnlyList<ReturnedLine> lines)
    {
        // The epoch is locked first. The first limit of a product copies its lines under a new epoch, either with or without these units.
        var epoch = await InventoryRepository.LockEpochAsync(transaction);
        var userId = (await transaction.SingleAsync<string>("SELECT user_id FROM orders WHERE id = @orderId", new { orderId }))!;
        await transaction.ExecuteAsync("""
            UPDATE order_item i JOIN refund_line l ON l.refund_id = @refundId AND l.product_id = i.product_id
            LEFT JOIN counted_item c ON c.product_id = i.product_id AND c.user_id = @userId AND c.order_id = i.order_id
            SET i.refunded = i.refunded + l.quantity, i.restocked = i.restocked + IF(l.restock, l.quantity, 0),
                i.refunded_amount = i.refunded_amount + l.amount, c.refunded = c.refunded + l.quantity
            WHERE i.order_id = @orderId
            """, new { orderId, refundId, userId });
        await InventoryRepository.RestockAsync(transaction, lines, $"refund:{refundId}");
        return new(orderId, userId, epoch, lines);
    }

    /// <summary>Frees the coupon of a fully refunded order if this refund asks for it.</summary>
    public static Task<int> ReturnCouponAsync(DbSession transaction, string orderId, string refundId) =>
        transaction.ExecuteAsync("""
            UPDATE coupon_issue i JOIN orders o ON o.coupon_id = i.coupon_id AND o.user_id = i.user_id AND o.id = i.order_id
            JOIN refund r ON r.id = @refundId AND r.coupon_back
            SET i.order_id = NULL, i.used_at = NULL WHERE o.id = @orderId
            """, new { orderId, refundId });

    /// <summary>
    /// Marks a fully refunded order as <c>REFUNDED</c> and returns its deducted stock, except units that were refunded by line. Pass the
    /// result to <see cref="InventoryRepository.ReturnAsync"/> after the commit.
    /// </summary>
    public static async Task<StockReturn> RefundAsync(DbSession transaction, string orderId)
    {
        var order = await transaction.SingleAsync<RefundedOrder>(
            "SELECT user_id AS UserId, status AS Status, holding AS Holding FROM orders WHERE id = @orderId FOR UPDATE", new { orderId });
        if (order is not { Status: OrderState.Paid or OrderState.Refunding }) throw new InvalidOperationException($"Order {orderId} is {order?.Status}, not paid.");
        await transaction.ExecuteAsync("""
            UPDATE orders SET changes = changes + 1, status = 'REFUNDED', holding = FALSE WHERE id = @orderId;
            DELETE FROM order_announcement WHERE order_id = @orderId
            """, new { orderId });
        // The stock was never deducted if the order holds it or is <c>REFUNDING</c>.
        return order.Holding || order.Status == OrderState.Refunding
            ? new(orderId, order.UserId, 0, []) : await InventoryRepository.RestockOrderAsync(transaction, orderId, order.UserId);
    }

    /// <summary>
    /// Expires orders whose hold has ended, at most <paramref name="limit"/>, and returns their ids. Concurrent callers get different
    /// orders.
    /// </summary>
    public async Task<IReadOnlyList<string>> ExpireAsync(int limit, CancellationToken cancellationToken)
    {
        // MySQL does not treat "holding" alone as an equality and would scan the table.
        const string Lapsed = "holding = TRUE AND status IN ('CREATED', 'PENDING_PAYMENT') AND NOT pinned AND hold_expires_at <= UTC_TIMESTAMP(6)";
        if (await database.SingleAsync<int?>($"SELECT 1 FROM orders WHERE {Lapsed} LIMIT 1", null, cancellationToken) is null) return [];
        var expired = await database.ExecuteInTransactionAsync(async transaction =>
        {
            var lapsed = await transaction.QueryAsync<string>($"SELECT id FROM orders WHERE {Lapsed} LIMIT @limit FOR UPDATE SKIP LOCKED", new { limit });
            if (lapsed.Count == 0) return lapsed;
            await transaction.ExecuteAsync("UPDATE orders SET changes = changes + 1, status = 'EXPIRED', holding = FALSE WHERE id IN @lapsed", new { lapsed });
            await FreeCouponsAsync(transaction, lapsed);
            await PublishAsync(transaction, lapsed);
            return lapsed;
        }, cancellationToken);
        if (expired.Count > 0) Wake();
        return expired;
    }

    /// <inheritdoc/>
    public async Task<bool> AcceptShortfallAsync(DbSession transaction, string orderId)
    {
        var accepted = await transaction.ExecuteAsync("""
            UPDATE orders SET changes = changes + 1, status = 'REFUNDING', holding = FALSE WHERE id = @orderId AND holding AND status = 'PAID'
            """, new { orderId }) == 1;
        await transaction.ExecuteAsync("DELETE FROM order_announcement WHERE order_id = @orderId", new { orderId });
        if (accepted) await PublishAsync(transaction, [orderId]);
        return accepted;
    }

    /// <summary>
    /// Publishes the new state of orders that this transaction has changed, if changes are published. Call <see cref="Wake"/> after the
    /// commit.
    /// </summary>
    internal async Task PublishAsync(DbSession transaction, IReadOnlyList<string> orderIds)
    {
        if (!options.Value.PublishChanges) return;
        var changed = await transaction.QueryAsync<OrderChanged>(
            $"SELECT {OrderChanged.Columns} FROM orders o LEFT JOIN payment p ON p.order_id = o.id WHERE o.id IN @orderIds", new { orderIds });
        OutboxWriter.AddAtCommit(transaction, [.. changed.Select(c => c.ToMessage())]);
    }

    /// <summary>
    /// Publishes a step of a purchase, whose statements know the new state already. It does not wake the relays: the message is sent with
    /// their next batch.
    /// </summary>
    /// <param name="paid">The message of an order that its coupon pays, which is announced at once.</param>
    internal void Publish(DbSession transaction, OrderChanged changed, OrderPlaced? paid = null)
    {
        List<OutboxMessage> messages = paid is null ? [] : [paid.ToMessage()];
        if (options.Value.PublishChanges) messages.Add(changed.ToMessage());
        if (messages.Count > 0) OutboxWriter.AddAtCommit(transaction, messages);
    }

    /// <summary>Wakes the relays to send the messages of changed orders.</summary>
    internal void Wake()
    {
        if (options.Value.PublishChanges) outbox.Wake();
    }

    /// <inheritdoc/>
    public async Task<IReadOnlyDictionary<string, HoldState>> FindStatesAsync(IReadOnlyList<string> orderIds, CancellationToken cancellationToken) =>
        (await database.QueryAsync<(string Id, string Status, bool Holding)>("SELECT id, status, holding FROM orders WHERE id IN @orderIds", new { orderIds }, cancellationToken))
            .ToDictionary(o => o.Id, o => o switch
            {
                { Holding: true } => HoldState.Holding,
                { Status: OrderState.Paid or OrderState.Refunded } => HoldState.Deducted,
                _ => HoldState.Ended,
            });

    static Task<int> FreeCouponsAsync(DbSession transaction, IReadOnlyList<string> orderIds) =>
        transaction.ExecuteAsync("""
            UPDATE coupon_issue i JOIN orders o ON o.coupon_id = i.coupon_id AND o.user_id = i.user_id AND o.id = i.order_id
            SET i.order_id = NULL WHERE o.id IN @orderIds AND i.used_at IS NULL
            """, new { orderIds });

    sealed record RefundedOrder(string UserId, string Status, bool Holding);
}

/// <summary>A line of a paid order, with the other content of the order's message.</summary>
sealed record PaidLine(string UserId, long TotalAmount, long? CouponId, int Changes, DateTime PaidAt, long ProductId, int Quantity)
{
    /// <summary>Selects the lines of <c>@OrderId</c>. Conditions can be appended.</summary>
    public const string Select = """
        SELECT o.user_id AS UserId, o.total_amount AS TotalAmount, o.coupon_id AS CouponId, o.changes AS Changes, o.paid_at AS PaidAt,
          i.product_id AS ProductId, i.quantity AS Quantity
        FROM orders o JOIN order_item i ON i.order_id = o.id WHERE o.id = @OrderId
        """;
}
