using System.Diagnostics.Metrics;
using Commerce.Core.Coupons;
using Commerce.Core.Messaging;
using Commerce.ServiceDefaults;

namespace Commerce.Workers.Coupons;

/// <summary>
/// Keeps every gate in step with its coupon, and rebuilds the gates that Redis lost: closes what is stale, lets what is in flight reach the
/// ledger, counts there, and opens again. Several keepers may run; the claim in the ledger lets one of them rebuild.
/// </summary>
sealed partial class CouponGateKeeper(CouponLedger ledger, CouponGate gate, CouponPublisher publisher, TimeProvider clock, ILogger<CouponGateKeeper> logger)
    : BackgroundService
{
    static readonly Histogram<double> Rebuilt = CommerceTelemetry.Meter.CreateHistogram<double>("commerce.coupons.gate.rebuild", "s");
    static readonly TimeSpan Every = TimeSpan.FromMilliseconds(250);

    /// <summary>Longer than any step of a rebuild between two renewals.</summary>
    static readonly TimeSpan Lease = TimeSpan.FromSeconds(20);

    const int UsersTogether = 1000;
    const int MostAtOnce = 256;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await InspectAsync(stoppingToken);
            }
            catch (Exception e) when (DependencyFaults.Is(e))
            {
                LogWaiting(logger, e.Message);
            }
        }
    }

    async Task InspectAsync(CancellationToken cancellationToken)
    {
        // A server that has not said who it is yet may be the right one.
        var coupons = (await ledger.ListGatedAsync(cancellationToken)).Where(c => c.GateEpoch > 0 && gate.KnowsServerOf(c.Id)).ToList();
        if (coupons.Count == 0) return;
        var gates = await gate.InspectAsync(coupons.ConvertAll(c => c.Id));
        // All at once: a server that was lost had the gates of many coupons, and each waits the same few seconds.
        await Parallel.ForEachAsync(coupons.Zip(gates), new ParallelOptions { MaxDegreeOfParallelism = MostAtOnce, CancellationToken = cancellationToken },
            async (pair, token) =>
            {
                try
                {
                    await KeepAsync(pair.First, pair.Second, token);
                }
                catch (Exception e) when (DependencyFaults.Is(e))
                {
                    LogWaiting(logger, e.Message);
                }
            });
    }

    async Task KeepAsync(Coupon coupon, GateState? state, CancellationToken cancellationToken)
    {
        if (state is not { Current: true } || state.Epoch != coupon.GateEpoch) await RebuildAsync(coupon, cancellationToken);
        else if (state.Version < coupon.Version) await gate.FollowAsync(coupon);
    }

    async Task RebuildAsync(Coupon coupon, CancellationToken cancellationToken)
    {
        var start = clock.GetTimestamp();
        // The claim comes first: from now on the ledger takes nothing directly from the Api under an older epoch.
        if (!await ledger.ClaimGateAsync(coupon.Id, coupon.GateEpoch, Lease, cancellationToken)) return;
        var epoch = coupon.GateEpoch + 1;
        LogRebuilding(logger, coupon.Id, epoch);
        await gate.CloseStaleAsync(coupon.Id, epoch);

        // Whoever was accepted by the lost gate is told so within this time or never; after it, the markers come behind their messages.
        await Task.Delay(CouponIssuer.PromiseDeadline, clock, cancellationToken);
        foreach (var (userId, acceptedAt) in await gate.ListPendingAsync(coupon.Id))
            if (!await publisher.TryPublishAsync(new(coupon.Id, epoch, userId, acceptedAt))) return;
        await publisher.PublishFencesAsync(coupon.Id, epoch, Enumerable.Range(0, Topics.Partitions[Topics.CouponIssued]));
        while (await ledger.CountFencesAsync(coupon.Id, epoch, cancellationToken) < Topics.Partitions[Topics.CouponIssued])
        {
            if (!await ledger.RenewGateClaimAsync(coupon.Id, epoch, Lease, cancellationToken)) return;
            await Task.Delay(Every, clock, cancellationToken);
        }

        // All that was promised is in the ledger now.
        var promised = await RememberAsync(coupon.Id, cancellationToken);
        if (!await ledger.RenewGateClaimAsync(coupon.Id, epoch, Lease, cancellationToken)) return;
        if (await ledger.FindAsync(coupon.Id, cancellationToken) is not { } now) return;
        await gate.OpenAsync(now, epoch, now.TotalQuantity - promised);
        var took = clock.GetElapsedTime(start);
        Rebuilt.Record(took.TotalSeconds);
        LogRebuilt(logger, coupon.Id, epoch, promised, now.TotalQuantity, took.TotalSeconds);
    }

    /// <summary>Tells the closed gate again to whom the coupon was promised; returns how many they are.</summary>
    async Task<int> RememberAsync(long couponId, CancellationToken cancellationToken)
    {
        await gate.ForgetUsersAsync(couponId);
        var count = 0;
        for (var last = ""; ;)
        {
            var users = await ledger.ListPromisedAsync(couponId, last, UsersTogether, cancellationToken);
            if (users.Count == 0) return count;
            await gate.RememberUsersAsync(couponId, users);
            count += users.Count;
            last = users[^1].UserId;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Coupon {CouponId}: Redis lost the gate; rebuilding it as epoch {Epoch}")]
    static partial void LogRebuilding(ILogger logger, long couponId, int epoch);

    [LoggerMessage(Level = LogLevel.Information, Message = "Coupon {CouponId}: gate open again (epoch {Epoch}, {Promised} of {Total} promised) after {Seconds:F1} s")]
    static partial void LogRebuilt(ILogger logger, long couponId, int epoch, int promised, int total, double seconds);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Keeping the gates waits: {Reason}")]
    static partial void LogWaiting(ILogger logger, string reason);
}
