namespace Commerce.Core.Orders;

/// <summary>An order in the database.</summary>
/// <param name="Status">One of <see cref="OrderState"/>.</param>
/// <param name="TotalAmount">Whole KRW to pay. 0: its coupon pays it.</param>
/// <param name="Discount">Whole KRW, already subtracted.</param>
/// <param name="CouponId">The coupon used for it.</param>
/// <param name="HoldExpiresAt">Until then it can be paid.</param>
/// <param name="RefundedAmount">Whole KRW, refunded.</param>
/// <param name="Fulfilment">One of <see cref="FulfilmentState"/>; null: not begun.</param>
/// <param name="Refundable">Whole KRW that can be refunded now: the paid amount without finished and running refunds. 0 if the order is not
/// paid.</param>
public sealed record Order(
    string Id, string UserId, string Status, long TotalAmount, long Discount, long? CouponId, DateTime HoldExpiresAt, DateTime CreatedAt, DateTime? PaidAt,
    long RefundedAmount, long Refundable, string? Fulfilment, string? TrackingNumber)
{
    /// <summary>The columns of <see cref="Rows"/> in the order and under the names of this record.</summary>
    public const string Columns = """
        o.id AS Id, o.user_id AS UserId, o.status AS Status, o.total_amount AS TotalAmount, o.discount AS Discount, o.coupon_id AS CouponId,
        o.hold_expires_at AS HoldExpiresAt, o.created_at AS CreatedAt, o.paid_at AS PaidAt, COALESCE(p.refunded_amount, 0) AS RefundedAmount,
        IF(o.status = 'PAID' AND p.status IN ('PAID', 'PARTIALLY_REFUNDED'), p.amount - p.refunded_amount - COALESCE(r.amount, 0), 0) AS Refundable,
        o.fulfilment AS Fulfilment, o.tracking_number AS TrackingNumber
        """;

    /// <summary>Orders <c>o</c> with their payment and their running refunds.</summary>
    public const string Rows = "orders o LEFT JOIN payment p ON p.order_id = o.id LEFT JOIN refund r ON r.open_payment = p.id";
}

/// <summary>A line of an order.</summary>
/// <param name="Price">Whole KRW per unit at the time of the order.</param>
/// <param name="RefundedQuantity">Units that refunds by line took off it.</param>
/// <param name="RefundedAmount">Whole KRW that these refunds gave back for it.</param>
/// <param name="Discounted">Whether the coupon of the order applies to it.</param>
public sealed record OrderItem(long ProductId, int Quantity, long Price, int RefundedQuantity, long RefundedAmount, bool Discounted)
{
    /// <summary>The columns under the names of this record.</summary>
    public const string Columns =
        "product_id AS ProductId, quantity AS Quantity, price AS Price, refunded AS RefundedQuantity, refunded_amount AS RefundedAmount, discounted AS Discounted";
}

/// <summary>The lines of an order.</summary>
public static class OrderItemExtensions
{
    /// <summary>What each line has paid after the discount of the order, in whole KRW.</summary>
    public static IReadOnlyList<long> SplitAmounts(this IReadOnlyList<OrderItem> items, long discount) =>
        LineAmounts.Split(discount, [.. items.Select(i => (i.Price * i.Quantity, i.Discounted))]);
}

/// <summary>The state of a line.</summary>
public static class LineState
{
    /// <summary>Nothing of it is refunded by line.</summary>
    public const string Ordered = "ORDERED";
    /// <summary>Some units are refunded.</summary>
    public const string PartiallyRefunded = "PARTIALLY_REFUNDED";
    /// <summary>All units are refunded, or the whole order is.</summary>
    public const string Refunded = "REFUNDED";

    /// <summary>The state of a line of an order.</summary>
    public static string Of(OrderItem item, string orderStatus) =>
        orderStatus == OrderState.Refunded || item.RefundedQuantity == item.Quantity ? Refunded : item.RefundedQuantity > 0 ? PartiallyRefunded : Ordered;
}

/// <summary>The shipping address of an order.</summary>
public sealed record Shipping(string Recipient, string Phone, string Zipcode, string Address1, string Address2);
