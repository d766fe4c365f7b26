using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Commerce.Core.Background;
using Commerce.Core.Coupons;
using Commerce.Core.Messaging;
using Commerce.ServiceDefaults;

namespace Commerce.Workers.Coupons;

/// <summary>
/// Keeps every gate in step with its coupon and rebuilds lost gates: closes a stale gate, lets everything in flight reach the database, counts there,
/// and opens the gate again. Several instances may run; a claim in the database lets one of them rebuild a gate.
/// </summary>
sealed partial class CouponGateRebuilder(CouponRepository repository, CouponGate gate, CouponPublisher publisher, TopicPartitions partitions, TimeProvider clock,
    ILogger<CouponGateRebuilder> logger) : PeriodicWorker(clock, logger)
{
    static readonly Histogram<double> Rebuilt = CommerceTelemetry.Meter.CreateHistogram<double>("commerce.coupons.gate.rebuild", "s");
    static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(250);

    /// <summary>The lease of a claim. It is renewed several times during a rebuild.</summary>
    static readonly TimeSpan Lease = TimeSpan.FromSeconds(20);

    /// <summary>
    /// The clients of a lost gate get their answer within this time or never. It includes replicas that did not know the new epoch yet.
    /// </summary>
    static readonly TimeSpan PromiseTimeout = CouponIssuer.PromiseDeadline + CouponCatalog.MaxAge;

    /// <summary>A barrier that is not consumed in this time may be lost. The next attempt sends new ones.</summary>
    static readonly TimeSpan BarrierTimeout = TimeSpan.FromMinutes(1);

    const int PageSize = 1000;
    const int MaxEndedGates = 10_000;

    /// <summary>Coupons whose gate this process is rebuilding.</summary>
    readonly ConcurrentDictionary<long, byte> _rebuilding = new();

    /// <summary>Gates of ended coupons that expire in Redis. Setting the expiry again is harmless.</summary>
    readonly HashSet<(long Id, int Version, int Epoch)> _over = [];

    readonly Quarantine<long> _quarantine = new("gate of coupon", clock, logger);

    protected override TimeSpan Interval => PollInterval;

    protected override Task RunOnceAsync(CancellationToken stoppingToken) => InspectAsync(stoppingToken);

    async Task InspectAsync(CancellationToken cancellationToken)
    {
        if (_over.Count > MaxEndedGates) _over.Clear();
        // A server whose run id is unknown may be the right one.
        var coupons = (await repository.ListGatedAsync(cancellationToken))
            .Where(c => c.GateEpoch > 0 && gate.KnowsServerOf(c.Id) && !_rebuilding.ContainsKey(c.Id) && !_quarantine.Contains(c.Id)).ToList();
        if (coupons.Count == 0) return;
        foreach (var (coupon, state) in coupons.Zip(await gate.InspectAsync(coupons.ConvertAll(c => c.Id))))
        {
            switch (state)
            {
                case { Current: null }:
                    break;
                case { Current: true } when state.Epoch == coupon.GateEpoch:
                    if (state.Version < coupon.Version) await _quarantine.TryAsync(coupon.Id, () => gate.SyncAsync(coupon), cancellationToken);
                    else if (coupon.EndsAt < Clock.GetUtcNow().UtcDateTime && _over.Add((coupon.Id, coupon.Version, coupon.GateEpoch))) await _quarantine.TryAsync(coupon.Id, () => gate.ForgetLaterAsync(coupon.Id), cancellationToken);
                    break;
                default:
                    // All in parallel: a lost server had the gates of many coupons, and a slow rebuild must not delay others. Recorded before it
                    // starts, because a rebuild that belongs to another process ends at once.
                    if (_rebuilding.TryAdd(coupon.Id, 0)) _ = Task.Run(() => RebuildAsync(coupon, cancellationToken), CancellationToken.None);
                    break;
            }
        }
    }

    async Task RebuildAsync(Coupon coupon, CancellationToken cancellationToken)
    {
        try
        {
            await _quarantine.TryAsync(coupon.Id, () => ClaimAndRebuildAsync(coupon, cancellationToken), cancellationToken);
        }
        catch (Exception e) when (TransientFaults.IsTransient(e))
        {
            LogWaiting(Logger, e.Message);
        }
        catch (Exception) when (cancellationToken.IsCancellationRequested)
        {
            // Another instance continues.
        }
        finally
        {
            _rebuilding.TryRemove(coupon.Id, out _);
        }
    }

    async Task ClaimAndRebuildAsync(Coupon coupon, CancellationToken cancellationToken)
    {
        // The claim comes first: from now on the database rejects acceptances of an older epoch that come directly from the Api.
        if (!await repository.ClaimGateAsync(coupon.Id, coupon.GateEpoch, Lease, cancellationToken)) return;
        try
        {
            await RebuildAsync(coupon.Id, coupon.GateEpoch + 1, cancellationToken);
        }
        finally
        {
            // Opened or not: the next loss or attempt need not wait for the lease.
            await repository.EndGateClaimAsync(coupon.Id, coupon.GateEpoch + 1, CancellationToken.None);
        }
    }

    async Task RebuildAsync(long couponId, int epoch, CancellationToken cancellationToken)
    {
        var start = Clock.GetTimestamp();
        LogRebuilding(Logger, couponId, epoch);
        if (!await gate.CloseStaleAsync(couponId, epoch)) return;
        await Task.Delay(PromiseTimeout, Clock, cancellationToken);

        // From now on barriers follow all messages of promised acceptances.
        foreach (var pending in (await gate.ListPendingAsync(couponId)).Chunk(PageSize))
        {
            if (!await repository.RenewGateClaimAsync(couponId, epoch, Lease, cancellationToken)) return;
            var published = await Task.WhenAll(pending.Select(p => publisher.TryPublishAsync(new(couponId, epoch, p.UserId, p.AcceptedAt))));
            if (published.Contains(false)) return;
        }

        // A promised acceptance may be in any partition. Their number is read from the brokers before and after, because partitions may be added
        // meanwhile.
        for (int fenced = 0, count; fenced < (count = await partitions.CountAsync(Topics.CouponIssued, cancellationToken)); fenced = count)
        {
            await publisher.PublishBarriersAsync(couponId, epoch, Enumerable.Range(fenced, count - fenced));
            for (var sent = Clock.GetTimestamp(); await repository.CountBarriersAsync(couponId, epoch, cancellationToken) < count;)
            {
                if (Clock.GetElapsedTime(sent) > BarrierTimeout || !await repository.RenewGateClaimAsync(couponId, epoch, Lease, cancellationToken)) return;
                await Task.Delay(PollInterval, Clock, cancellationToken);
            }
        }

        // Everything promised is in the database now. Closed once more: a late initializer may have opened the gate between two losses of Redis.
        if (!await gate.CloseStaleAsync(couponId, epoch) || await RememberAsync(couponId, epoch, cancellationToken) is not { } promised) return;
        if (await repository.FindAsync(couponId, cancellationToken) is not { } now) return;
        if (!await gate.OpenAsync(now, epoch, now.TotalQuantity - promised, promised)) return;
        var took = Clock.GetElapsedTime(start);
        Rebuilt.Record(took.TotalSeconds);
        LogRebuilt(Logger, couponId, epoch, promised, now.TotalQuantity, took.TotalSeconds);
    }

    /// <summary>Adds all promised users to the closed gate. Returns their number, or null if the claim was lost.</summary>
    async Task<int?> RememberAsync(long couponId, int epoch, CancellationToken cancellationToken)
    {
        await gate.ForgetUsersAsync(couponId);
        var count = 0;
        for (var last = ""; ;)
        {
            if (!await repository.RenewGateClaimAsync(couponId, epoch, Lease, cancellationToken)) return null;
            var users = await repository.ListPromisedAsync(couponId, last, PageSize, cancellationToken);
            if (users.Count == 0) return count;
            await gate.RememberUsersAsync(couponId, users);
            count += users.Count;
            last = users[^1].UserId;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Coupon {CouponId}: the gate is lost; rebuilding it as epoch {Epoch}")]
    static partial void LogRebuilding(ILogger logger, long couponId, int epoch);

    [LoggerMessage(Level = LogLevel.Information, Message = "Coupon {CouponId}: gate open again (epoch {Epoch}, {Promised} of {Total} promised) after {Seconds:F1} s")]
    static partial void LogRebuilt(ILogger logger, long couponId, int epoch, int promised, int total, double seconds);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Rebuild of a gate paused, dependency unavailable: {Reason}")]
    static partial void LogWaiting(ILogger logger, string reason);
}
