using Commerce.Core.Coupons;
using Commerce.Core.Database;
using Commerce.Core.Events;
using Commerce.Core.Inventory;
using Commerce.Core.Retention;

namespace Commerce.Core.Live;

/// <summary>Reads the figures of a sale that are in MySQL.</summary>
public sealed class LiveRepository(MySqlDatabase database)
{
    /// <summary>The coupons of an event.</summary>
    public Task<IReadOnlyList<Coupon>> ListCouponsAsync(SaleEvent sale, CancellationToken cancellationToken) =>
        database.QueryAsync<Coupon>($"SELECT {Coupon.Columns} FROM coupon WHERE id IN @ids ORDER BY id", new { ids = sale.CouponIds }, cancellationToken);

    /// <summary>The products of an event.</summary>
    public Task<IReadOnlyList<Product>> ListProductsAsync(SaleEvent sale, CancellationToken cancellationToken) =>
        database.QueryAsync<Product>($"SELECT {Product.Columns} FROM product WHERE id IN @ids ORDER BY id", new { ids = sale.ProductIds }, cancellationToken);

    /// <summary>
    /// Counts the orders between the opening and the closing of an event. Ids begin with their time, so these orders are a range of the
    /// primary key. An index on a time or a product would slow down every order.
    /// </summary>
    public async Task<LiveOrders> CountOrdersAsync(SaleEvent sale, CancellationToken cancellationToken) =>
        sale.OpenedAt is { } openedAt && sale.CouponIds.Count + sale.ProductIds.Count > 0
            ? (await database.SingleAsync<LiveOrders>("""
                SELECT COUNT(*) AS Placed, CAST(COALESCE(SUM(o.status IN ('CREATED', 'PENDING_PAYMENT')), 0) AS SIGNED) AS Holding,
                       CAST(COALESCE(SUM(o.status IN ('PAID', 'REFUNDING', 'REFUNDED')), 0) AS SIGNED) AS Paid,
                       CAST(COALESCE(SUM(IF(o.status IN ('PAID', 'REFUNDING', 'REFUNDED'), o.total_amount, 0)), 0) AS SIGNED) AS PaidAmount
                FROM orders o WHERE o.id >= @first AND o.id < @end
                  AND (o.coupon_id IN @coupons OR EXISTS (SELECT 1 FROM order_item i WHERE i.order_id = o.id AND i.product_id IN @products))
                """, new
            {
                first = RetentionStore.FirstIdAt(new(openedAt, TimeSpan.Zero)),
                end = sale.ClosedAt is { } closedAt ? RetentionStore.FirstIdAt(new(closedAt, TimeSpan.Zero)) : AfterAllIds,
                coupons = sale.CouponIds,
                products = sale.ProductIds,
            }, cancellationToken))!
            : new(0, 0, 0, 0);

    /// <summary>Counts the admissions of an event's waiting room, and the admissions whose pass is valid.</summary>
    public async Task<(long Admitted, long Ordering)> CountAdmissionsAsync(SaleEvent sale, CancellationToken cancellationToken) => sale.WaitingRoomRate is null
        ? default
        : await database.SingleAsync<(long, long)>("""
            SELECT COUNT(*), CAST(COALESCE(SUM(expires_at > UTC_TIMESTAMP(6)), 0) AS SIGNED) FROM waiting_room_admission WHERE event_id = @Id
            """, sale, cancellationToken);

    const string AfterAllIds = "g";
}
