namespace Commerce.Core.Payments;

/// <summary>The scope of a refund: an amount, lines, or the rest of the payment.</summary>
/// <param name="Amount">The amount in whole KRW. 0 for the whole of an order that a coupon paid.</param>
/// <param name="Lines">The lines to refund. The amount is what their units have paid, but at most the rest of the payment.</param>
/// <param name="CouponBack">Whether the order's coupon becomes usable again. This is possible only if the refund returns all that
/// remains of the payment. It always applies to an order that a coupon paid in full.</param>
public sealed record RefundScope(long? Amount, IReadOnlyList<RefundLine>? Lines = null, bool CouponBack = false)
{
    /// <summary>Refunds the rest of the payment.</summary>
    public static RefundScope Rest { get; } = new(Amount: null);
}

/// <summary>Units of a line to refund.</summary>
/// <param name="Quantity">At least 1.</param>
/// <param name="Restock">Whether the units return to the stock. Null: they return unless the order was shipped.</param>
public sealed record RefundLine(long ProductId, int Quantity, bool? Restock = null);

/// <summary>A line of a refund with its amount.</summary>
sealed record PricedRefundLine(long ProductId, int Quantity, long Amount, bool Restock);
