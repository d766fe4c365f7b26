using System.Collections.Concurrent;
using Commerce.Core.Background;
using Commerce.Core.Coupons;

namespace Commerce.Workers.Coupons;

/// <summary>
/// Keeps every gate in step with its coupon and has lost gates rebuilt. Several instances may run; a claim in the database lets one of them rebuild a
/// gate.
/// </summary>
sealed partial class CouponGateService(
    CouponRepository repository, CouponGate gate, CouponGateRebuilder rebuilder, TimeProvider clock, ILogger<CouponGateService> logger) : PeriodicWorker(clock, logger)
{
    const int MaxEndedGates = 10_000;

    /// <summary>Coupons whose gate this process is rebuilding.</summary>
    readonly ConcurrentDictionary<long, byte> _rebuilding = new();

    /// <summary>Gates of ended coupons that expire in Redis. Setting the expiry again is harmless.</summary>
    readonly HashSet<(long Id, int Version, int Epoch)> _over = [];

    readonly Quarantine<long> _quarantine = new("gate of coupon", clock, logger);

    protected override TimeSpan Interval => TimeSpan.FromMilliseconds(250);

    protected override async Task RunOnceAsync(CancellationToken stoppingToken)
    {
        if (_over.Count > MaxEndedGates) _over.Clear();
        // A server whose run id is unknown may be the right one.
        var coupons = (await repository.ListGatedAsync(stoppingToken))
            .Where(c => c.GateEpoch > 0 && gate.KnowsServerOf(c.Id) && !_rebuilding.ContainsKey(c.Id) && !_quarantine.Contains(c.Id)).ToList();
        if (coupons.Count == 0) return;
        foreach (var (coupon, state) in coupons.Zip(await gate.InspectAsync(coupons.ConvertAll(c => c.Id))))
        {
            switch (state)
            {
                case { Current: null }:
                    break;
                case { Current: true } when state.Epoch == coupon.GateEpoch:
                    if (state.Version < coupon.Version) await _quarantine.TryAsync(coupon.Id, () => gate.SyncAsync(coupon), stoppingToken);
                    else if (coupon.EndsAt < Clock.GetUtcNow().UtcDateTime && _over.Add((coupon.Id, coupon.Version, coupon.GateEpoch))) await _quarantine.TryAsync(coupon.Id, () => gate.ForgetLaterAsync(coupon.Id), stoppingToken);
                    break;
                default:
                    // All in parallel: a lost server had the gates of many coupons, and a slow rebuild must not delay others. Recorded before it
                    // starts, because a rebuild that belongs to another process ends at once.
                    if (_rebuilding.TryAdd(coupon.Id, 0)) _ = Task.Run(() => RebuildAsync(coupon, stoppingToken), CancellationToken.None);
                    break;
            }
        }
    }

    async Task RebuildAsync(Coupon coupon, CancellationToken cancellationToken)
    {
        try
        {
            await _quarantine.TryAsync(coupon.Id, () => rebuilder.RunAsync(coupon, cancellationToken), cancellationToken);
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

    [LoggerMessage(Level = LogLevel.Warning, Message = "Rebuild of a gate paused, dependency unavailable: {Reason}")]
    static partial void LogWaiting(ILogger logger, string reason);
}
