using Commerce.Core.Catalog;
using Commerce.ServiceDefaults;

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

/// <summary>Changes coupons. The database is changed first. The gate follows at once, or after an outage of Redis.</summary>
public sealed class CouponAdministration(CouponDefinitions definitions, CouponRepository coupons, CouponGate gate)
{
    /// <summary>The total quantity would shrink.</summary>
    public static readonly ProblemType CannotShrink = new(409, "coupon-cannot-shrink", "The total quantity of a coupon can only grow. Cancel it instead.");

    /// <summary>The total quantity would exceed the maximum.</summary>
    public static readonly ProblemType TooMany = new(409, "coupon-too-large", "The total quantity of a coupon is limited to 100,000,000.");

    /// <summary>Creates a coupon. Its gate opens with the first request.</summary>
    public Task<Coupon> CreateAsync(CouponDefinition definition, CancellationToken cancellationToken) => definitions.CreateAsync(definition, cancellationToken);

    /// <summary>Replaces name, discount, quantity and window.</summary>
    /// <exception cref="ProblemException">The coupon does not exist, the version does not match, or the total would shrink.</exception>
    public async Task<Coupon> ChangeAsync(long id, CouponDefinition definition, IReadOnlyCollection<int>? versions, CancellationToken cancellationToken) =>
        await SyncAsync(await definitions.ChangeAsync(id, definition, versions, cancellationToken), CannotShrink);

    /// <summary>Adds to the total quantity.</summary>
    /// <exception cref="ProblemException">The coupon does not exist, or the total would be too large.</exception>
    public async Task<Coupon> AddStockAsync(long id, int delta, CancellationToken cancellationToken) =>
        await SyncAsync(await definitions.AddQuantityAsync(id, delta, cancellationToken), TooMany);

    /// <summary>Stops issuing. Issued coupons stay valid.</summary>
    /// <exception cref="ProblemException">The coupon does not exist.</exception>
    public async Task<Coupon> CancelAsync(long id, CancellationToken cancellationToken)
    {
        var cancelled = await coupons.CancelAsync(id, cancellationToken);
        return await SyncAsync((await definitions.FindAsync(id, cancellationToken), cancelled), CouponProblems.NotFound);
    }

    /// <param name="change">The coupon, or null if it does not exist; and whether it was changed.</param>
    /// <param name="refusal">The problem if the coupon exists but was not changed.</param>
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
            // The rebuilder compares versions and updates the gate later.
        }

        return coupon;
    }
}
