namespace Commerce.Core.Coupons;

/// <summary>The definition of a coupon.</summary>
/// <param name="Name">1 to 200 characters.</param>
/// <param name="Discount">Whole KRW, above 0. The discount, or its maximum if <paramref name="Percent"/> is set.</param>
/// <param name="TotalQuantity">1 to 100,000,000. It can only grow, because the gate may have issued more than a smaller
/// total.</param>
/// <param name="StartsAt">The start of the issue window, with its offset. Stored in UTC.</param>
/// <param name="EndsAt">The end of the issue window, after <paramref name="StartsAt"/>.</param>
/// <param name="Percent">1 to 100: the discount in percent, rounded down. Null: a fixed amount.</param>
/// <param name="MinOrderAmount">Whole KRW. The minimum price before the discount of the products that the coupon applies to, in
/// total. Null: no minimum.</param>
/// <param name="ValidFrom">Orders can use the coupon from this time on. Null: at once.</param>
/// <param name="ValidUntil">Orders can use the coupon before this time, which is after <paramref name="StartsAt"/> and
/// <paramref name="ValidFrom"/>. Null: without end.</param>
/// <param name="ProductIds">1 to 50 products that the coupon applies to, in addition to those of <paramref name="EventIds"/>. If both
/// are null, it applies to all products.</param>
/// <param name="EventIds">1 to 50 events. The coupon applies to the products that they have when it is used.</param>
public sealed record CouponDefinition(
    string Name, long Discount, int TotalQuantity, DateTimeOffset StartsAt, DateTimeOffset EndsAt, int? Percent = null, long? MinOrderAmount = null,
    DateTimeOffset? ValidFrom = null, DateTimeOffset? ValidUntil = null, IReadOnlyList<long>? ProductIds = null, IReadOnlyList<long>? EventIds = null)
{
    /// <summary>The maximum total quantity.</summary>
    public const int MaxQuantity = 100_000_000;

    const int MaxIds = 50;

    /// <summary>The shortest window. MySQL stores microseconds and rejects an empty one.</summary>
    static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(1);

    /// <summary>The errors by field; empty if the definition is valid.</summary>
    public Dictionary<string, string[]> Validate()
    {
        var errors = new Dictionary<string, string[]>();
        DisplayText.Check(errors, "name", Name, 200);
        if (Discount is < 1 or > 1_000_000_000) errors["discount"] = ["Must be 1 to 1,000,000,000 won."];
        if (TotalQuantity is < 1 or > MaxQuantity) errors["totalQuantity"] = ["Must be 1 to 100,000,000."];
        if (StartsAt.Year is < 2000 or > 2999) errors["startsAt"] = ["Must be between the years 2000 and 2999."];
        if (EndsAt - StartsAt < Shortest || EndsAt.Year > 2999) errors["endsAt"] = ["Must be after startsAt and before the year 3000."];
        if (Percent is < 1 or > 100) errors["percent"] = ["Must be 1 to 100, or null for a fixed amount."];
        if (MinOrderAmount is < 1 or > 1_000_000_000) errors["minOrderAmount"] = ["Must be 1 to 1,000,000,000 won, or null for no minimum."];
        if (ValidFrom is { Year: < 2000 or > 2999 }) errors["validFrom"] = ["Must be between the years 2000 and 2999, or null."];
        if (ValidUntil is { Year: > 2999 } || ValidUntil - StartsAt < Shortest || ValidUntil - ValidFrom < Shortest) errors["validUntil"] = ["Must be after startsAt and validFrom and before the year 3000, or null."];
        if (!AreIds(ProductIds)) errors["productIds"] = [$"Must be 1 to {MaxIds} different ids, or null."];
        if (!AreIds(EventIds)) errors["eventIds"] = [$"Must be 1 to {MaxIds} different ids, or null."];
        return errors;
    }

    static bool AreIds(IReadOnlyList<long>? ids) =>
        ids is null || (ids.Count is >= 1 and <= MaxIds && ids.All(id => id > 0) && ids.Distinct().Count() == ids.Count);
}
