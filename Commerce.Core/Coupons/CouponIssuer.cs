using System.Diagnostics.Metrics;

namespace Commerce.Core.Coupons;

/// <summary>
/// Issues coupons, first come, first served. The gate decides. An acceptance is stored outside of Redis before the user gets the
/// response: in Kafka, or in the database if Kafka is unavailable or <see cref="CouponDurability"/> requires it.
/// </summary>
public sealed class CouponIssuer(
    CouponCatalog catalog, CouponGate gate, CouponGateInitializer initializer, CouponPublisher publisher, CouponFallbackWriter fallback,
    CouponDurability durability, SoldOutCache soldOut, TimeProvider clock)
{
    static readonly Counter<long> Asked = CommerceTelemetry.Meter.CreateCounter<long>("commerce.coupons.asked");

    /// <summary>The verdicts in enum order, boxed once.</summary>
    static readonly object[] Verdicts = [.. Enum.GetValues<GateVerdict>().Order().Select(v => (object)v)];

    static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    /// <summary>Issues a coupon. Returns null on success, otherwise the refusal.</summary>
    public ValueTask<ProblemResult?> IssueAsync(long couponId, string userId, CancellationToken cancellationToken)
    {
        // After the last coupon, nearly all requests end here.
        if (soldOut.Find(couponId, userId) is not { } verdict) return IssueAtGateAsync(couponId, userId, cancellationToken);
        Count(verdict);
        return new(RefusalOf(verdict));
    }

    async ValueTask<ProblemResult?> IssueAtGateAsync(long couponId, string userId, CancellationToken cancellationToken)
    {
        if (await catalog.FindAsync(couponId, cancellationToken) is not { } coupon) return CouponProblems.NotFound.ToResult();
        var start = clock.GetTimestamp();
        var answer = await gate.AcceptAsync(couponId, userId);
        // A gate that is lost after the coupon's end is not rebuilt.
        if (answer.Verdict == GateVerdict.Closed && coupon.IsLongOver(clock.GetUtcNow())) answer = new(GateVerdict.Ended);
        if (answer.Verdict == GateVerdict.Closed && await initializer.TryOpenFirstAsync(couponId, cancellationToken))
            answer = await gate.AcceptAsync(couponId, userId);
        // The database has a newer epoch. This gate is about to be rebuilt, and its acceptances do not count.
        if (answer.Verdict is GateVerdict.Accepted or GateVerdict.AlreadyPending && answer.Epoch < coupon.GateEpoch) answer = new(GateVerdict.Closed);

        Count(answer.Verdict);
        soldOut.Observe(couponId, answer.Verdict);
        if (answer.Verdict is not (GateVerdict.Accepted or GateVerdict.AlreadyPending)) return RefusalOf(answer.Verdict);
        Checkpoints.Reach(Checkpoints.AfterGate);
        var issue = new CouponIssued(couponId, answer.Epoch, userId, answer.AcceptedAt);
        var safe = (durability.Needed == Durability.Broker && await publisher.TryPublishAsync(issue))
            || await fallback.TrySaveAsync(issue, CouponGateRebuilder.PromiseDeadline - clock.GetElapsedTime(start));
        // The acceptance is not stored, or too late for a running rebuild, so it is not a promise. Its pending entry may still bring the
        // coupon.
        if (!safe || clock.GetElapsedTime(start) >= CouponGateRebuilder.PromiseDeadline) return CommonProblems.DependencyUnavailable.ToResult(retryAfter: RetryAfter);
        // "Already issued" is a promise as well, because the first response or its message may have been lost.
        return answer.Verdict == GateVerdict.Accepted ? null : RefusalOf(answer.Verdict);
    }

    static ProblemResult RefusalOf(GateVerdict verdict) => verdict switch
    {
        GateVerdict.SoldOut => CouponProblems.SoldOut.ToResult(),
        GateVerdict.AlreadyIssued or GateVerdict.AlreadyPending => CouponProblems.AlreadyIssued.ToResult(),
        GateVerdict.NotStarted => CouponProblems.NotStarted.ToResult(),
        GateVerdict.Ended => CouponProblems.Ended.ToResult(),
        _ => CouponProblems.GateClosed.ToResult(),
    };

    static void Count(GateVerdict verdict) => Asked.Add(1, new KeyValuePair<string, object?>("verdict", Verdicts[(int)verdict - (int)GateVerdict.Closed]));
}
