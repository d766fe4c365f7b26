using System.Globalization;

namespace Commerce.Core.Orders;

/// <summary>A customer's coupon, with its terms at the time of the order.</summary>
/// <param name="OrderId">The order that uses the coupon, or null if it is free.</param>
/// <param name="EventProductIds">The products of the events that the coupon applies to, or null if there are none.</param>
/// <param name="Now">The time by MySQL's clock.</param>
sealed record OrderCoupon(
    long Discount, int? Percent, long? MinOrderAmount, DateTime? ValidFrom, DateTime? ValidUntil, HashSet<long>? ProductIds, HashSet<long>? EventIds,
    int Version, string? OrderId, HashSet<long>? EventProductIds, DateTime Now)
{
    /// <summary>Selects the coupon <c>@couponId</c> of <c>@userId</c>.</summary>
    public const string Select = """
        SELECT c.discount AS Discount, c.percent AS Percent, c.min_order_amount AS MinOrderAmount, c.valid_from AS ValidFrom, c.valid_until AS ValidUntil,
               c.product_ids AS ProductIds, c.event_ids AS EventIds, c.version AS Version, i.order_id AS OrderId,
               (SELECT JSON_ARRAYAGG(e.product_id) FROM JSON_TABLE(c.event_ids, '$[*]' COLUMNS (id BIGINT PATH '$')) s
                JOIN event_product e ON e.event_id = s.id) AS EventProductIds, UTC_TIMESTAMP(6) AS Now
        FROM coupon_issue i JOIN coupon c ON c.id = i.coupon_id WHERE i.coupon_id = @couponId AND i.user_id = @userId
        """;

    /// <summary>Whether the coupon lowers the price of this product.</summary>
    public bool AppliesTo(long productId) =>
        (ProductIds is null && EventIds is null) || ProductIds?.Contains(productId) is true || EventProductIds?.Contains(productId) is true;

    /// <summary>
    /// Calculates the discount on an order, in whole KRW. It is at least 1 and at most the price of the lines that the coupon applies to.
    /// </summary>
    /// <param name="lines">The price of each line by product, in whole KRW.</param>
    /// <exception cref="ProblemException">The terms do not allow the coupon for this order.</exception>
    public long DiscountOn(IReadOnlyDictionary<long, long> lines)
    {
        if (OrderId is not null) throw new ProblemException(OrderProblems.CouponNotUsable, "Another order of yours uses this coupon.");
        if (Now < ValidFrom) throw new ProblemException(OrderProblems.CouponNotValidYet, $"It can be used from {Tell(ValidFrom.Value)}.");
        if (Now >= ValidUntil) throw new ProblemException(OrderProblems.CouponExpired, $"It could be used until {Tell(ValidUntil.Value)}.");
        var amount = lines.Where(l => AppliesTo(l.Key)).Sum(l => l.Value);
        if (amount == 0) throw new ProblemException(OrderProblems.CouponNotApplicable, "Add one of its products, or order without the coupon.");
        if (amount < MinOrderAmount)
            throw new ProblemException(OrderProblems.CouponBelowMinimum, string.Create(CultureInfo.InvariantCulture,
                $"The coupon needs products for {MinOrderAmount} won, and the order has {amount} won. Add products that it applies to, or order without the coupon."));
        var discount = Math.Min(amount, Percent is { } percent ? Math.Min(Discount, amount * percent / 100) : Discount);
        return discount > 0 ? discount : throw new ProblemException(OrderProblems.CouponNotUsable, "It would take off less than 1 won.");
    }

    static string Tell(DateTime time) => time.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
