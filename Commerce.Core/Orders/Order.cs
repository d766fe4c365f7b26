namespace Commerce.Core.Orders;

/// <summary>An order in the database.</summary>
/// <param name="Status">One of <see cref="OrderState"/>.</param>
/// <param name="TotalAmount">The amount to pay, in whole KRW. It is 0 if a coupon pays the order.</param>
/// <param name="Discount">The discount in whole KRW. The total amount does not include it.</param>
/// <param name="CouponId">The coupon that the order uses, or null.</param>
/// <param name="HoldExpiresAt">The order can be paid until this time.</param>
/// <param name="RefundedAmount">The refunded amount in whole KRW.</param>
/// <param name="Fulfilment">One of <see cref="FulfilmentState"/>, or null before the delivery begins.</param>
/// <param name="Refundable">The amount that can be refunded now, in whole KRW: the paid amount without finished and running refunds.
/// 0 if the order is not paid.</param>
public sealed record Order(
    string Id, string UserId, string Status, long TotalAmount, long Discount, long? CouponId, DateTime HoldExpiresAt, DateTime CreatedAt, DateTime? PaidAt,
    long RefundedAmount, long Refundable, string? Fulfilment, string? TrackingNumber)
{
    /// <summary>The columns of <see cref="Rows"/>, in the order and with the names of the record's members.</summary>
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
/// <param name="Price">The price per unit at the time of the order, in whole KRW.</param>
/// <param name="RefundedQuantity">The units that were refunded by line.</param>
/// <param name="RefundedAmount">The amount that these refunds returned, in whole KRW.</param>
/// <param name="Discounted">Whether the coupon of the order applies to it.</param>
public sealed record OrderItem(long ProductId, int Quantity, long Price, int RefundedQuantity, long RefundedAmount, bool Discounted)
{
    /// <summary>The columns, with the names of the record's members.</summary>
    public const string Columns =
        "product_id AS ProductId, quantity AS Quantity, price AS Price, refunded AS RefundedQuantity, refunded_amount AS RefundedAmount, discounted AS Discounted";
}

/// <summary>The lines of an order.</summary>
public static class OrderItemExtensions
{
    /// <summary>Splits the paid amount of the order over its lines, in whole KRW.</summary>
    public static IReadOnlyList<long> SplitAmounts(this IReadOnlyList<OrderItem> items, long discount) =>
        LineAmounts.Split(discount, [.. items.Select(i => (i.Price * i.Quantity, i.Discounted))]);
}

/// <summary>The state of a line.</summary>
public static class LineState
{
    /// <summary>No unit is refunded by line.</summary>
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
