using System.Diagnostics.Metrics;
using Commerce.Core.Messaging;

namespace Commerce.Core.Coupons;

/// <summary>
/// Rebuilds a lost gate, so that every promise is kept and no coupon is issued twice:
/// <list type="number">
/// <item>Claim. MySQL increments the coupon's epoch for one caller. From now on it refuses acceptances of an older epoch that the Api
/// saves directly.</item>
/// <item>Close. A gate of an older epoch no longer accepts anybody.</item>
/// <item>Wait. Every replica knows the new epoch after <see cref="CouponCatalog.MaxAge"/>. After a further
/// <see cref="PromiseDeadline"/>, no acceptance of the lost gate becomes a promise.</item>
/// <item>Publish the pending acceptances again, under the new epoch.</item>
/// <item>Send a barrier to every partition. When the consumer has received all of them, every promised acceptance is in MySQL. An
/// acceptance of an older epoch that arrives after its barrier is refused.</item>
/// <item>Remember. The users with a promise are written to the closed gate.</item>
/// <item>Open the gate with the rest of the stock, unless a newer epoch has closed it.</item>
/// </list>
/// </summary>
public sealed partial class CouponGateRebuilder(
    CouponRepository repository, CouponGate gate, CouponPublisher publisher, TopicPartitions partitions, TimeProvider clock, ILogger<CouponGateRebuilder> logger)
{
    static readonly Histogram<double> Rebuilt = CommerceTelemetry.Meter.CreateHistogram<double>("commerce.coupons.gate.rebuild", "s");

    /// <summary>A promise is made within this time after the gate's verdict, or not at all.</summary>
    public static TimeSpan PromiseDeadline { get; } = CouponPublisher.Deadline + TimeSpan.FromSeconds(3);

    /// <summary>The lease of a claim. A rebuild renews it several times.</summary>
    static readonly TimeSpan Lease = TimeSpan.FromSeconds(20);

    /// <summary>A barrier that is not consumed within this time may be lost. The next attempt sends new ones.</summary>
    static readonly TimeSpan BarrierTimeout = TimeSpan.FromMinutes(1);

    static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(250);

    const int PageSize = 1000;

    /// <summary>
    /// Rebuilds the gate. Does nothing if another caller is rebuilding it. If a step fails, the gate stays closed until the next attempt.
    /// </summary>
    /// <param name="lost">The coupon with the epoch of the lost gate.</param>
    public async Task RunAsync(Coupon lost, CancellationToken cancellationToken)
    {
        var (couponId, epoch) = (lost.Id, lost.GateEpoch + 1);
        if (!await repository.ClaimGateAsync(couponId, lost.GateEpoch, Lease, cancellationToken)) return;
        try
        {
            var start = clock.GetTimestamp();
            LogRebuilding(logger, couponId, epoch);
            if (await TryRebuildAsync(couponId, epoch, cancellationToken) is not { } result) return;
            var took = clock.GetElapsedTime(start).TotalSeconds;
            Rebuilt.Record(took);
            LogRebuilt(logger, couponId, epoch, result.Promised, result.Total, took);
        }
        finally
        {
            // The claim ends even if the gate was not opened, so that the next attempt need not wait for the lease.
            await repository.EndGateClaimAsync(couponId, epoch, CancellationToken.None);
        }
    }

    async Task<(int Promised, int Total)?> TryRebuildAsync(long couponId, int epoch, CancellationToken cancellationToken)
    {
        if (!await gate.CloseStaleAsync(couponId, epoch)) return null;
        await Task.Delay(PromiseDeadline + CouponCatalog.MaxAge, clock, cancellationToken);
        if (!await PublishPendingAsync(couponId, epoch, cancellationToken) || !await PassBarriersAsync(couponId, epoch, cancellationToken)) return null;
        // Close the gate again: a late initializer may have opened it between two losses of Redis.
        if (!await gate.CloseStaleAsync(couponId, epoch) || await RememberPromisedAsync(couponId, epoch, cancellationToken) is not { } promised) return null;
        return await repository.FindAsync(couponId, cancellationToken) is { TotalQuantity: var total } coupon && await gate.OpenAsync(coupon, epoch, total - promised, promised)
            ? (promised, total)
            : null;
    }

    async Task<bool> PublishPendingAsync(long couponId, int epoch, CancellationToken cancellationToken)
    {
        foreach (var pending in (await gate.ListPendingAsync(couponId)).Chunk(PageSize))
        {
            if (!await RenewClaimAsync(couponId, epoch, cancellationToken)) return false;
            var published = await Task.WhenAll(pending.Select(p => publisher.TryPublishAsync(new(couponId, epoch, p.UserId, p.AcceptedAt))));
            if (published.Contains(false)) return false;
        }

        return true;
    }

    /// <summary>Sends the barriers and waits until all are consumed.</summary>
    async Task<bool> PassBarriersAsync(long couponId, int epoch, CancellationToken cancellationToken)
    {
        // Any partition may hold a promised acceptance. The number of partitions is read before and after, because partitions may be added
        // meanwhile.
        for (int fenced = 0, count; fenced < (count = await partitions.CountAsync(Topics.CouponIssued, cancellationToken)); fenced = count)
        {
            await publisher.PublishBarriersAsync(couponId, epoch, Enumerable.Range(fenced, count - fenced));
            for (var sent = clock.GetTimestamp(); await repository.CountBarriersAsync(couponId, epoch, cancellationToken) < count;)
            {
                if (clock.GetElapsedTime(sent) > BarrierTimeout || !await RenewClaimAsync(couponId, epoch, cancellationToken)) return false;
                await Task.Delay(PollInterval, clock, cancellationToken);
            }
        }

        return true;
    }

    /// <summary>Writes the promised users to the gate. Returns their number, or null if the claim was lost.</summary>
    async Task<int?> RememberPromisedAsync(long couponId, int epoch, CancellationToken cancellationToken)
    {
        await gate.ForgetUsersAsync(couponId);
        var count = 0;
        for (var last = ""; ;)
        {
            if (!await RenewClaimAsync(couponId, epoch, cancellationToken)) return null;
            var users = await repository.ListPromisedAsync(couponId, last, PageSize, cancellationToken);
            if (users.Count == 0) return count;
            await gate.RememberUsersAsync(couponId, users);
            count += users.Count;
            last = users[^1].UserId;
        }
    }

    Task<bool> RenewClaimAsync(long couponId, int epoch, CancellationToken cancellationToken) =>
        repository.RenewGateClaimAsync(couponId, epoch, Lease, cancellationToken);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Coupon {CouponId}: the gate is lost; rebuilding it as epoch {Epoch}")]
    static partial void LogRebuilding(ILogger logger, long couponId, int epoch);

    [LoggerMessage(Level = LogLevel.Information, Message = "Coupon {CouponId}: gate open again (epoch {Epoch}, {Promised} of {Total} promised) after {Seconds:F1} s")]
    static partial void LogRebuilt(ILogger logger, long couponId, int epoch, int promised, int total, double seconds);
}
