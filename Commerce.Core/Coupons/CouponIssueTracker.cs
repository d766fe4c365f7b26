using Commerce.ServiceDefaults;

namespace Commerce.Core.Coupons;

/// <summary>
/// Follows the issue of a coupon to one user: the gate knows of it from the moment that it is accepted, the database a little later, when its row has come.
/// </summary>
public sealed class CouponIssueTracker(CouponRepository repository, CouponGate gate, TimeProvider clock)
{
    static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    /// <summary>Between two looks for a row that is on its way.</summary>
    static readonly RetryPolicy PollDelays = new() { BaseDelay = TimeSpan.FromMilliseconds(20), MaxDelay = TimeSpan.FromMilliseconds(250) };

    /// <summary>Where the issue of this user is; null where there is none.</summary>
    /// <exception cref="ProblemException">The gate is closed, and the database does not know (yet).</exception>
    public async Task<CouponIssueStatus?> FindAsync(long couponId, string userId, CancellationToken cancellationToken)
    {
        if (await repository.FindIssueAsync(couponId, userId, cancellationToken) is { } known) return known;
        var (open, acceptedAt) = await gate.FindAsync(couponId, userId);
        if (acceptedAt is { } at) return new(couponId, CouponIssueStatus.Pending, DateTimeOffset.FromUnixTimeMilliseconds(at).UtcDateTime);
        // It may have reached the database between the two looks.
        if (await repository.FindIssueAsync(couponId, userId, cancellationToken) is { } now) return now;
        if (!open && await repository.FindAsync(couponId, cancellationToken) is { GateEpoch: > 0 } coupon && !coupon.IsLongOver(clock.GetUtcNow()))
            throw new ProblemException(CouponProblems.GateClosed, retryAfter: RetryAfter);
        return null;
    }

    /// <summary>As <see cref="FindAsync"/>, but waits so long for a row that is on its way.</summary>
    /// <exception cref="ProblemException">The gate is closed, and the database does not know (yet).</exception>
    public async Task<CouponIssueStatus?> WaitAsync(long couponId, string userId, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var start = clock.GetTimestamp();
        for (var look = 1; ; look++)
        {
            var status = await FindAsync(couponId, userId, cancellationToken);
            if (status is not { Status: CouponIssueStatus.Pending } || clock.GetElapsedTime(start) >= timeout) return status;
            await Task.Delay(PollDelays.Delay(look), clock, cancellationToken);
        }
    }

    /// <summary>The coupons of one user, those included whose row is on its way; newest first, at most 200. Without Redis, what the database has.</summary>
    public async Task<IReadOnlyList<OwnCoupon>> ListAsync(string userId, CancellationToken cancellationToken)
    {
        // The gate first: what leaves it before the second look is in the database by then.
        var pending = await ListPendingAsync(userId, cancellationToken);
        var own = await repository.ListOfUserAsync(userId, cancellationToken);
        return [.. pending.Where(p => own.All(o => o.CouponId != p.CouponId)).Concat(own).OrderByDescending(o => o.IssuedAt)];
    }

    async Task<IReadOnlyList<OwnCoupon>> ListPendingAsync(string userId, CancellationToken cancellationToken)
    {
        var gated = (await repository.ListGatedAsync(cancellationToken)).Where(c => c.GateEpoch > 0).ToList();
        try
        {
            return [.. gated.Zip(await gate.FindPendingAsync(gated.ConvertAll(c => c.Id), userId)).Where(c => c.Second is not null).Select(c => new OwnCoupon(
                c.First.Id, c.First.Name, c.First.Discount, CouponIssueStatus.Pending, DateTimeOffset.FromUnixTimeMilliseconds(c.Second!.Value).UtcDateTime,
                c.First.EndsAt, null, null))];
        }
        catch (Exception e) when (TransientFaults.IsTransient(e))
        {
            return [];
        }
    }
}
