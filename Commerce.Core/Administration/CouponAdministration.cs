using Commerce.Core.Catalog;
using Commerce.Core.Coupons;

namespace Commerce.Core.Administration;

/// <summary>Changes coupons. The database is changed first. The gate follows at once, or after an outage of Redis.</summary>
public sealed class CouponAdministration(CouponDefinitions definitions, CouponRepository coupons, CouponGate gate)
{
    /// <summary>The total quantity would shrink.</summary>
    public static readonly ProblemType CannotShrink = new(409, "coupon-cannot-shrink", "The total quantity of a coupon can only grow. Cancel it instead.");

    /// <summary>The total quantity would exceed the maximum.</summary>
    public static readonly ProblemType TooMany = new(409, "coupon-too-large", "The total quantity of a coupon is limited to 100,000,000.");

    /// <summary>Replaces name, discount, quantity, window and terms.</summary>
    /// <exception cref="ProblemException">The coupon does not exist, the version does not match, the total would shrink, or a product or event of its terms does not
    /// exist.</exception>
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
        // Without Redis: CouponGateService compares the versions and updates the gate later.
        await TransientFaults.TryAsync(() => gate.SyncAsync(coupon));
        return coupon;
    }
}
