using Commerce.Core.Database;
using Commerce.Core.Outbox;

namespace Commerce.Core.Orders;

/// <summary>
/// The states of orders. Every step is one conditional update, so of two that exclude each other (a cancel and a payment, a payment and the
/// lapse of a hold) one finds the row and the other does not. MySQL's clock decides whether a hold lives.
/// </summary>
public sealed class OrderRepository(MySqlDatabase database)
{
    /// <summary>One order of this user (of anybody where <paramref name="userId"/> is null), or null.</summary>
    public Task<Order?> FindAsync(string orderId, string? userId, CancellationToken cancellationToken) =>
        database.SingleAsync<Order>(
            $"SELECT {Order.Columns} FROM {Order.Rows} WHERE o.id = @orderId AND o.user_id = COALESCE(@userId, o.user_id)", new { orderId, userId }, cancellationToken);

    /// <summary>What an order consists of, by product.</summary>
    public Task<IReadOnlyList<OrderItem>> ListItemsAsync(string orderId, CancellationToken cancellationToken) =>
        database.QueryAsync<OrderItem>($"SELECT {OrderItem.Columns} FROM order_item WHERE order_id = @orderId ORDER BY product_id", new { orderId }, cancellationToken);

    /// <summary>Where an order goes.</summary>
    public Task<Shipping?> FindShippingAsync(string orderId, CancellationToken cancellationToken) =>
        database.SingleAsync<Shipping>("""
            SELECT recipient AS Recipient, phone AS Phone, zipcode AS Zipcode, address1 AS Address1, address2 AS Address2
            FROM shipping_info WHERE order_id = @orderId
            """, new { orderId }, cancellationToken);

    /// <summary>Orders, newest first, older than <paramref name="before"/> (an order's id; empty for the first page); null asks for any user or state.</summary>
    public Task<IReadOnlyList<Order>> ListAsync(string? userId, string? status, string? before, int limit, CancellationToken cancellationToken) =>
        // Without conditions that may be empty: MySQL would use no index for them.
        database.QueryAsync<Order>($"""
            SELECT {Order.Columns} FROM {Order.Rows}
            WHERE TRUE {(userId is null ? "" : "AND o.user_id = @userId")} {(status is null ? "" : "AND o.status = @status")} {(before is not { Length: > 0 } ? "" : "AND o.id < @before")}
            ORDER BY o.id DESC LIMIT @limit
            """, new { userId, status, before, limit }, cancellationToken);

    /// <summary>What a row of <c>orders</c> must be for <c>@userId</c> to pay <c>@amount</c> for <c>@orderId</c>.</summary>
    public const string Payable = """
        id = @orderId AND user_id = @userId AND total_amount = @amount AND status IN ('CREATED', 'PENDING_PAYMENT') AND NOT pinned
          AND hold_expires_at > UTC_TIMESTAMP(6)
        """;

    // The steps of a payment are texts, because each is sent together with what the payment's own tables need: the way to MySQL and back costs more
    // than the rows. They come first there, so the order's row is locked first.

    /// <summary>
    /// <c>CREATED → PENDING_PAYMENT</c> while the hold lives. The first time the hold is made to last <c>@extension</c> µs from now; again for an order
    /// that is pending already it changes nothing. Finds no row where the order is not <see cref="Payable"/>.
    /// </summary>
    public const string Prepare = $"""
        UPDATE orders
        SET status = 'PENDING_PAYMENT',
            hold_expires_at = IF(extended, hold_expires_at, GREATEST(hold_expires_at, UTC_TIMESTAMP(6) + INTERVAL @extension MICROSECOND)),
            extended = TRUE
        WHERE {Payable}
        """;

    /// <summary>
    /// Before the gateway is asked for the money: from now on the order cannot be cancelled and its hold does not lapse. Finds no row where it cannot
    /// be paid, where its hold lapsed, or where another attempt is running.
    /// </summary>
    public const string Pin = """
        UPDATE orders SET pinned = TRUE WHERE id = @OrderId AND status = 'PENDING_PAYMENT' AND NOT pinned AND hold_expires_at > UTC_TIMESTAMP(6)
        """;

    /// <summary>The gateway took nothing: the order can be paid again, as long as its hold lives.</summary>
    public const string Unpin = """
        UPDATE orders SET pinned = FALSE WHERE id = @OrderId AND status = 'PENDING_PAYMENT'
        """;

    /// <summary>
    /// The gateway took the money: the order is paid; <see cref="AnnounceAsync"/> follows. Finds no row where it was not pinned by an attempt, which
    /// must not happen.
    /// </summary>
    public const string Pay = """
        UPDATE orders SET status = 'PAID', pinned = FALSE, paid_at = UTC_TIMESTAMP(6) WHERE id = @OrderId AND status = 'PENDING_PAYMENT' AND pinned
        """;

    /// <summary>
    /// What follows when an order is paid: its coupon is used, and <c>ORDER_PLACED</c> in the outbox. After the commit wake the relay. May be repeated.
    /// </summary>
    public static async Task AnnounceAsync(DbSession transaction, string orderId)
    {
        var lines = await transaction.QueryAsync<PaidLine>($"{PaidLine.Select} ORDER BY i.product_id", new { orderId });
        if (lines[0].CouponId is { } usedCoupon) await transaction.ExecuteAsync(UseCoupon, UseCouponParameters(orderId, lines[0].UserId, usedCoupon));
        await OutboxWriter.AddAsync(transaction, ToMessage(orderId, lines));
    }

    /// <summary>The same for the only order of a transaction, with its COMMIT.</summary>
    internal static void AnnounceAtCommit(DbSession transaction, string orderId, IReadOnlyList<PaidLine> lines)
    {
        if (lines[0].CouponId is { } usedCoupon) transaction.AtCommit(UseCoupon, UseCouponParameters(orderId, lines[0].UserId, usedCoupon));
        OutboxWriter.AddAtCommit(transaction, ToMessage(orderId, lines));
    }

    const string UseCoupon = """
        UPDATE coupon_issue SET used_at = UTC_TIMESTAMP(6)
        WHERE coupon_id = @usedCoupon AND user_id = @usedBy AND order_id = @usedFor AND used_at IS NULL
        """;

    static object UseCouponParameters(string usedFor, string usedBy, long usedCoupon) => new { usedCoupon, usedBy, usedFor };

    static OutboxMessage ToMessage(string orderId, IReadOnlyList<PaidLine> lines) => new OrderPlaced(
        orderId, lines[0].UserId, lines[0].TotalAmount, [.. lines.Select(l => new OrderLine(l.ProductId, l.Quantity))]).ToMessage();

    /// <summary>Ends an order that was not paid, by its owner's wish. False where it is paid, being paid, or ended otherwise.</summary>
    public static async Task<bool> CancelAsync(DbSession transaction, string orderId, string userId)
    {
        if (await transaction.ExecuteAsync("""
                UPDATE orders SET status = 'CANCELLED', holding = FALSE
                WHERE id = @orderId AND user_id = @userId AND status IN ('CREATED', 'PENDING_PAYMENT') AND NOT pinned
                """, new { orderId, userId }) == 0) return false;
        await FreeCouponsAsync(transaction, [orderId]);
        return true;
    }

    /// <summary>Ends the orders whose hold lapsed, at most <paramref name="limit"/>, and returns them. Several may ask: each gets others.</summary>
    public async Task<IReadOnlyList<string>> ExpireAsync(int limit, CancellationToken cancellationToken)
    {
        // "holding" alone is no equality to MySQL: it would read the whole table.
        const string Lapsed = "holding = TRUE AND status IN ('CREATED', 'PENDING_PAYMENT') AND NOT pinned AND hold_expires_at <= UTC_TIMESTAMP(6)";
        if (await database.SingleAsync<int?>($"SELECT 1 FROM orders WHERE {Lapsed} LIMIT 1", null, cancellationToken) is null) return [];
        return await database.ExecuteInTransactionAsync(async transaction =>
        {
            var lapsed = await transaction.QueryAsync<string>($"SELECT id FROM orders WHERE {Lapsed} LIMIT @limit FOR UPDATE SKIP LOCKED", new { limit });
            if (lapsed.Count == 0) return lapsed;
            await transaction.ExecuteAsync("UPDATE orders SET status = 'EXPIRED', holding = FALSE WHERE id IN @lapsed", new { lapsed });
            await FreeCouponsAsync(transaction, lapsed);
            return lapsed;
        }, cancellationToken);
    }

    /// <summary>Which of these orders exist, their state, and whether they still hold their pieces.</summary>
    public Task<IReadOnlyList<(string Id, string Status, bool Holding)>> ListStatesAsync(IReadOnlyList<string> orderIds, CancellationToken cancellationToken) =>
        database.QueryAsync<(string Id, string Status, bool Holding)>("SELECT id, status, holding FROM orders WHERE id IN @orderIds", new { orderIds }, cancellationToken);

    static Task<int> FreeCouponsAsync(DbSession transaction, IReadOnlyList<string> orderIds) =>
        transaction.ExecuteAsync("""
            UPDATE coupon_issue i JOIN orders o ON o.coupon_id = i.coupon_id AND o.user_id = i.user_id AND o.id = i.order_id
            SET i.order_id = NULL WHERE o.id IN @orderIds AND i.used_at IS NULL
            """, new { orderIds });
}

/// <summary>A line of an order that is paid, with what its message says besides.</summary>
sealed record PaidLine(string UserId, long TotalAmount, long? CouponId, long ProductId, int Quantity)
{
    /// <summary>The lines of <c>@OrderId</c>; conditions may follow.</summary>
    public const string Select = """
        SELECT o.user_id AS UserId, o.total_amount AS TotalAmount, o.coupon_id AS CouponId, i.product_id AS ProductId, i.quantity AS Quantity
        FROM orders o JOIN order_item i ON i.order_id = o.id WHERE o.id = @OrderId
        """;
}
