using Commerce.Core.Catalog;
using Commerce.ServiceDefaults;

namespace Commerce.Core.Coupons;

/// <summary>What an administrator says a coupon is.</summary>
/// <param name="Name">1 to 200 characters.</param>
/// <param name="Discount">Whole KRW, above 0.</param>
/// <param name="TotalQuantity">1 to 100,000,000; it can only grow, because the gate may have given out more than a smaller one.</param>
/// <param name="StartsAt">With the offset; kept in UTC.</param>
/// <param name="EndsAt">After <paramref name="StartsAt"/>.</param>
public sealed record CouponDefinition(string Name, long Discount, int TotalQuantity, DateTimeOffset StartsAt, DateTimeOffset EndsAt)
{
    /// <summary>The largest total quantity.</summary>
    public const int MaxQuantity = 100_000_000;

    /// <summary>What is wrong with it, by field; empty where nothing is.</summary>
    public Dictionary<string, string[]> Validate()
    {
        var errors = new Dictionary<string, string[]>();
        DisplayText.Check(errors, "name", Name, 200);
        if (Discount is < 1 or > 1_000_000_000) errors["discount"] = ["Must be 1 to 1,000,000,000 won."];
        if (TotalQuantity is < 1 or > MaxQuantity) errors["totalQuantity"] = ["Must be 1 to 100,000,000."];
        if (StartsAt.Year is < 2000 or > 2999) errors["startsAt"] = ["Must be between the years 2000 and 2999."];
        // In the microseconds of the database, which would refuse a window of none.
        if (EndsAt - StartsAt < TimeSpan.FromMilliseconds(1) || EndsAt.Year > 2999) errors["endsAt"] = ["Must be after startsAt and before the year 3000."];
        return errors;
    }
}

/// <summary>Changes coupons. The database is changed first; the gate follows at once, or, where Redis is away, as soon as it is back.</summary>
public sealed class CouponAdministration(CouponDefinitions definitions, CouponRepository coupons, CouponGate gate)
{
    /// <summary>A smaller total than before.</summary>
    public static readonly ProblemType CannotShrink = new(409, "coupon-cannot-shrink", "The total quantity of a coupon can only grow. Cancel it instead.");

    /// <summary>More than a coupon can have.</summary>
    public static readonly ProblemType TooMany = new(409, "coupon-too-large", "The total quantity of a coupon is limited to 100,000,000.");

    /// <summary>Creates a coupon; its gate opens with the first request.</summary>
    public Task<Coupon> CreateAsync(CouponDefinition definition, CancellationToken cancellationToken) => definitions.CreateAsync(definition, cancellationToken);

    /// <summary>Replaces name, discount, quantity and window.</summary>
    /// <exception cref="ProblemException">There is no such coupon, or it has none of these versions, or it would shrink.</exception>
    public async Task<Coupon> ChangeAsync(long id, CouponDefinition definition, IReadOnlyCollection<int>? versions, CancellationToken cancellationToken) =>
        await SyncAsync(await definitions.ChangeAsync(id, definition, versions, cancellationToken), CannotShrink);

    /// <summary>Adds to the total quantity.</summary>
    /// <exception cref="ProblemException">There is no such coupon, or it would be too large.</exception>
    public async Task<Coupon> AddStockAsync(long id, int delta, CancellationToken cancellationToken) =>
        await SyncAsync(await definitions.AddQuantityAsync(id, delta, cancellationToken), TooMany);

    /// <summary>From now on nobody gets it; who has it keeps it.</summary>
    /// <exception cref="ProblemException">This coupon does not exist.</exception>
    public async Task<Coupon> CancelAsync(long id, CancellationToken cancellationToken)
    {
        var cancelled = await coupons.CancelAsync(id, cancellationToken);
        return await SyncAsync((await definitions.FindAsync(id, cancellationToken), cancelled), CouponProblems.NotFound);
    }

    /// <param name="change">The coupon, null where it is not there; and whether it was changed.</param>
    /// <param name="refusal">Where it is there, but was not changed.</param>
    async Task<Coupon> SyncAsync((Coupon? Coupon, bool Changed) change, ProblemType refusal)
    {
        var coupon = change.Coupon ?? throw new ProblemException(CouponProblems.NotFound);
        if (!change.Changed) throw new ProblemException(refusal);
        try
        {
            await gate.SyncAsync(coupon);
        }
        catch (Exception e) when (TransientFaults.IsTransient(e))
        {
            // The keeper compares versions and lets the gate follow.
        }

        return coupon;
    }
}
