namespace Commerce.Core.Coupons;

/// <summary>
/// Finds the issue of a coupon to a user. The gate knows it from the acceptance on, the database knows it once the row is saved.
/// </summary>
public sealed class CouponIssueTracker(CouponRepository repository, CouponGate gate, TimeProvider clock)
{
    /// <summary>The waits between two lookups of a row that is not saved yet.</summary>
    static readonly RetryPolicy PollDelays = new() { BaseDelay = TimeSpan.FromMilliseconds(20), MaxDelay = TimeSpan.FromMilliseconds(250) };

    /// <summary>Finds the issue of a coupon to this user. Returns null if there is none.</summary>
    /// <exception cref="ProblemException">The gate is closed, and the database has no row (yet).</exception>
    public async Task<CouponIssueStatus?> FindAsync(long couponId, string userId, CancellationToken cancellationToken)
    {
        if (await repository.FindIssueAsync(couponId, userId, cancellationToken) is { } known) return known;
        var (open, acceptedAt) = await gate.FindAsync(couponId, userId);
        if (acceptedAt is { } at) return new(couponId, CouponIssueStatus.Pending, DateTimeOffset.FromUnixTimeMilliseconds(at).UtcDateTime);
        // The row may have arrived between the two lookups.
        if (await repository.FindIssueAsync(couponId, userId, cancellationToken) is { } now) return now;
        if (!open && await repository.FindAsync(couponId, cancellationToken) is { GateEpoch: > 0 } coupon && !coupon.IsLongOver(clock.GetUtcNow()))
            throw new ProblemException(CouponProblems.GateClosed);
        return null;
    }

    /// <summary>Like <see cref="FindAsync"/>, but waits up to <paramref name="timeout"/> until the row is saved.</summary>
    /// <exception cref="ProblemException">The gate is closed, and the database has no row (yet).</exception>
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

    /// <summary>Lists the coupons of a user, newest first, at most 200. Pending ones are included if Redis is available.</summary>
    /// <param name="after">The position after which the page starts. Null: the first page, which includes the pending coupons.</param>
    public async Task<Page<OwnCoupon>> ListAsync(string userId, Cursor? after, int limit, CancellationToken cancellationToken)
    {
        // The gate is read first. An entry that leaves it before the second query is in the database by then.
        var pending = after is null ? await ListPendingAsync(userId, cancellationToken) : [];
        var own = Pages.Of<OwnCoupon>(
            await repository.ListOfUserAsync(userId, after, limit + 1, cancellationToken), limit,
            o => $"{new Cursor((long)(o.IssuedAt - DateTime.UnixEpoch).TotalMicroseconds, o.CouponId)}");
        return own with { Items = [.. pending.Where(p => own.Items.All(o => o.CouponId != p.CouponId)).Concat(own.Items).OrderByDescending(o => o.IssuedAt)] };
    }

    async Task<IReadOnlyList<OwnCoupon>> ListPendingAsync(string userId, CancellationToken cancellationToken)
    {
        var gated = (await repository.ListGatedAsync(cancellationToken)).Where(c => c.GateEpoch > 0).ToList();
        var accepted = await TransientFaults.TryAsync(() => gate.FindPendingAsync(gated.ConvertAll(c => c.Id), userId), []);
        return [.. gated.Zip(accepted).Where(c => c.Second is not null).Select(c => new OwnCoupon(
            c.First.Id, c.First.Name, c.First.Discount, CouponIssueStatus.Pending, DateTimeOffset.FromUnixTimeMilliseconds(c.Second!.Value).UtcDateTime,
            c.First.EndsAt, null, null, c.First.Percent, c.First.MinOrderAmount, c.First.ValidFrom, c.First.ValidUntil, c.First.ProductIds, c.First.EventIds))];
    }
}
