using Commerce.Core.Catalog;
using Commerce.Core.Coupons;

namespace Commerce.Core.Administration;

/// <summary>Changes coupons, first in the database, then in the gate. After an outage of Redis the gate follows later.</summary>
public sealed class CouponAdministration(CouponDefinitions definitions, CouponRepository coupons, CouponGate gate)
{
    /// <summary>The new total quantity is below the current one.</summary>
    public static readonly ProblemType CannotShrink = new(409, "coupon-cannot-shrink", "The total quantity of a coupon can only grow. Cancel it instead.");

    /// <summary>The new total quantity is above the maximum.</summary>
    public static readonly ProblemType TooMany = new(409, "coupon-too-large", "The total quantity of a coupon is limited to 100,000,000.");

    /// <summary>Replaces name, discount, quantity, window and terms.</summary>
    /// <exception cref="ProblemException">The coupon does not exist, its version is not an accepted one, the total quantity would
    /// decrease, or its terms name an unknown product or event.</exception>
    public async Task<Coupon> ChangeAsync(long id, CouponDefinition definition, IReadOnlyCollection<int>? versions, CancellationToken cancellationToken) =>
        await SyncAsync(await definitions.ChangeAsync(id, definition, versions, cancellationToken), CannotShrink);

    /// <summary>Adds to the total quantity.</summary>
    /// <exception cref="ProblemException">The coupon does not exist, or the total quantity would exceed the maximum.</exception>
    public async Task<Coupon> AddStockAsync(long id, int delta, CancellationToken cancellationToken) =>
        await SyncAsync(await definitions.AddQuantityAsync(id, delta, cancellationToken), TooMany);

    /// <summary>Stops issuing. Issued coupons stay valid.</summary>
    /// <exception cref="ProblemException">The coupon does not exist.</exception>
    public async Task<Coupon> CancelAsync(long id, CancellationToken cancellationToken)
    {
        var cancelled = await coupons.CancelAsync(id, cancellationToken);
        return await SyncAsync((await definitions.FindAsync(id, cancellationToken), cancelled), CouponProblems.NotFound);
    }

    /// <param name="change">The coupon after the change (null if it does not exist), and whether it was changed.</param>
    /// <param name="refusal">The problem to report if the coupon exists but was not changed.</param>
    async Task<Coupon> SyncAsync((Coupon? Coupon, bool Changed) change, ProblemType refusal)
    {
        var coupon = change.Coupon ?? throw new ProblemException(CouponProblems.NotFound);
        if (!change.Changed) throw new ProblemException(refusal);
        // If Redis is unavailable, CouponGateService compares the versions later and updates the gate.
        await TransientFaults.TryAsync(() => gate.SyncAsync(coupon));
        return coupon;
    }
}
