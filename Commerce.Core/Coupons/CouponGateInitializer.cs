using System.Collections.Concurrent;

namespace Commerce.Core.Coupons;

/// <summary>
/// Opens the gate of a coupon for the first time, exactly once on any number of replicas. <see cref="CouponGateRebuilder"/> handles
/// lost gates, because acceptances may be in flight.
/// </summary>
public sealed class CouponGateInitializer(CouponRepository repository, CouponGate gate, TimeProvider clock)
{
    /// <summary>How long other callers wait for the caller that opens the gate.</summary>
    static readonly TimeSpan OpeningTimeout = TimeSpan.FromSeconds(1);

    readonly ConcurrentDictionary<long, Lazy<Task<bool>>> _opening = new();

    /// <summary>Opens the gate if it was never open. Returns true if the gate can be called again.</summary>
    public async Task<bool> TryOpenFirstAsync(long couponId, CancellationToken cancellationToken)
    {
        var opening = _opening.GetOrAdd(couponId, id => new(() => OpenAsync(id)));
        try
        {
            return await opening.Value.WaitAsync(cancellationToken);
        }
        finally
        {
            _opening.TryRemove(new(couponId, opening));
        }
    }

    async Task<bool> OpenAsync(long couponId)
    {
        var coupon = await repository.FindAsync(couponId, CancellationToken.None);
        // A claim on a gate that cannot be opened would lock out all other callers.
        if (coupon is null || !gate.KnowsServerOf(couponId)) return false;
        if (coupon.GateEpoch == 0 && await repository.ClaimGateAsync(couponId, 0, OpeningTimeout, CancellationToken.None))
            return await gate.OpenAsync(coupon, 1, coupon.TotalQuantity - coupon.IssuedQuantity, users: 0);

        // Epoch 1: another replica may be opening the gate now. A higher epoch: a rebuild is running, which takes longer than a request
        // waits.
        var start = clock.GetTimestamp();
        while (coupon.GateEpoch <= 1 && clock.GetElapsedTime(start) < OpeningTimeout)
        {
            if ((await gate.InspectAsync([couponId]))[0] is { Current: true }) return true;
            await Task.Delay(TimeSpan.FromMilliseconds(20), clock);
        }

        return false;
    }
}
