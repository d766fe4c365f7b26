namespace Commerce.Core.Payments;

/// <summary>What a refund is for: an amount, lines, or the rest of the payment.</summary>
/// <param name="Amount">Whole KRW. 0: the whole of an order that its coupon paid.</param>
/// <param name="Lines">The amount is what their units have paid, at most the rest of the payment.</param>
/// <param name="CouponBack">Whether the coupon of the order becomes free again. Only with the last won of the payment. A coupon that paid the whole order always does.</param>
public sealed record RefundScope(long? Amount, IReadOnlyList<RefundLine>? Lines = null, bool CouponBack = false)
{
    /// <summary>The rest of the payment.</summary>
    public static RefundScope Rest { get; } = new(Amount: null);
}

/// <summary>Units of a line to refund.</summary>
/// <param name="Quantity">At least 1.</param>
/// <param name="Restock">Whether they return to the stock. Null: they do unless the order was shipped.</param>
public sealed record RefundLine(long ProductId, int Quantity, bool? Restock = null);

/// <summary>A line of a refund with its amount.</summary>
sealed record PricedRefundLine(long ProductId, int Quantity, long Amount, bool Restock);
