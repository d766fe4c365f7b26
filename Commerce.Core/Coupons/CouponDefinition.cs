namespace Commerce.Core.Coupons;

/// <summary>The definition of a coupon.</summary>
/// <param name="Name">1 to 200 characters.</param>
/// <param name="Discount">Whole KRW, above 0.</param>
/// <param name="TotalQuantity">1 to 100,000,000. It can only grow, because the gate may have issued more than a smaller total.</param>
/// <param name="StartsAt">With its offset; stored in UTC.</param>
/// <param name="EndsAt">After <paramref name="StartsAt"/>.</param>
public sealed record CouponDefinition(string Name, long Discount, int TotalQuantity, DateTimeOffset StartsAt, DateTimeOffset EndsAt)
{
    /// <summary>The maximum total quantity.</summary>
    public const int MaxQuantity = 100_000_000;

    /// <summary>The errors by field; empty if the definition is valid.</summary>
    public Dictionary<string, string[]> Validate()
    {
        var errors = new Dictionary<string, string[]>();
        DisplayText.Check(errors, "name", Name, 200);
        if (Discount is < 1 or > 1_000_000_000) errors["discount"] = ["Must be 1 to 1,000,000,000 won."];
        if (TotalQuantity is < 1 or > MaxQuantity) errors["totalQuantity"] = ["Must be 1 to 100,000,000."];
        if (StartsAt.Year is < 2000 or > 2999) errors["startsAt"] = ["Must be between the years 2000 and 2999."];
        // MySQL stores microseconds and rejects an empty window.
        if (EndsAt - StartsAt < TimeSpan.FromMilliseconds(1) || EndsAt.Year > 2999) errors["endsAt"] = ["Must be after startsAt and before the year 3000."];
        return errors;
    }
}
