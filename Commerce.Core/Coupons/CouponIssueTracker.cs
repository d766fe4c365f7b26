using Commerce.ServiceDefaults;

namespace Commerce.Core.Coupons;

/// <summary>
/// Follows the issue of a coupon to one user: the gate knows of it from the moment that it is accepted, the ledger a little later, when its row has come.
/// </summary>
public sealed class CouponIssueTracker(CouponLedger ledger, CouponGate gate, TimeProvider clock)
{
    static readonly TimeSpan ComeAgain = TimeSpan.FromSeconds(1);

    /// <summary>Between two looks for a row that is on its way.</summary>
    static readonly RetryPolicy Looks = new() { BaseDelay = TimeSpan.FromMilliseconds(20), MaxDelay = TimeSpan.FromMilliseconds(250) };

    /// <summary>Where the issue of this user is; null where there is none.</summary>
    /// <exception cref="ProblemException">The gate is closed, and the ledger does not know (yet).</exception>
    public async Task<CouponIssueStatus?> FindAsync(long couponId, string userId, CancellationToken cancellationToken)
    {
        if (await ledger.FindIssueAsync(couponId, userId, cancellationToken) is { } known) return known;
        var (open, acceptedAt) = await gate.FindAsync(couponId, userId);
        if (acceptedAt is { } at) return new(couponId, CouponIssueStatus.Pending, DateTimeOffset.FromUnixTimeMilliseconds(at).UtcDateTime);
        // It may have reached the ledger between the two looks.
        if (await ledger.FindIssueAsync(couponId, userId, cancellationToken) is { } now) return now;
        if (!open && await ledger.FindAsync(couponId, cancellationToken) is { GateEpoch: > 0 } coupon && !coupon.IsLongOver(clock.GetUtcNow()))
            throw new ProblemException(CouponProblems.GateClosed, retryAfter: ComeAgain);
        return null;
    }

    /// <summary>As <see cref="FindAsync"/>, but waits so long for a row that is on its way.</summary>
    /// <exception cref="ProblemException">The gate is closed, and the ledger does not know (yet).</exception>
    public async Task<CouponIssueStatus?> WaitAsync(long couponId, string userId, TimeSpan patience, CancellationToken cancellationToken)
    {
        var start = clock.GetTimestamp();
        for (var look = 1; ; look++)
        {
            var status = await FindAsync(couponId, userId, cancellationToken);
            if (status is not { Status: CouponIssueStatus.Pending } || clock.GetElapsedTime(start) >= patience) return status;
            await Task.Delay(Looks.Delay(look), clock, cancellationToken);
        }
    }

    /// <summary>The coupons of one user, those included whose row is on its way; newest first, at most 200. Without Redis, what the ledger has.</summary>
    public async Task<IReadOnlyList<OwnCoupon>> ListAsync(string userId, CancellationToken cancellationToken)
    {
        // The gate first: what leaves it before the second look is in the ledger by then.
        var pending = await ListPendingAsync(userId, cancellationToken);
        var own = await ledger.ListOfUserAsync(userId, cancellationToken);
        return [.. pending.Where(p => own.All(o => o.CouponId != p.CouponId)).Concat(own).OrderByDescending(o => o.IssuedAt)];
    }

    async Task<IReadOnlyList<OwnCoupon>> ListPendingAsync(string userId, CancellationToken cancellationToken)
    {
        var gated = (await ledger.ListGatedAsync(cancellationToken)).Where(c => c.GateEpoch > 0).ToList();
        try
        {
            return [.. gated.Zip(await gate.FindPendingAsync(gated.ConvertAll(c => c.Id), userId)).Where(c => c.Second is not null).Select(c => new OwnCoupon(
                c.First.Id, c.First.Name, c.First.Discount, CouponIssueStatus.Pending, DateTimeOffset.FromUnixTimeMilliseconds(c.Second!.Value).UtcDateTime,
                c.First.EndsAt, null, null))];
        }
        catch (Exception e) when (DependencyFaults.Is(e))
        {
            return [];
        }
    }
}
