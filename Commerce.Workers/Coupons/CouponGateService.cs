using System.Collections.Concurrent;
using Commerce.Core.Background;
using Commerce.Core.Coupons;

namespace Commerce.Workers.Coupons;

/// <summary>
/// Keeps every gate up to date with its coupon, and has lost gates rebuilt. Several instances can run. A claim in the database
/// ensures that one of them rebuilds a gate.
/// </summary>
sealed partial class CouponGateService(
    CouponRepository repository, CouponGate gate, CouponGateRebuilder rebuilder, TimeProvider clock, ILogger<CouponGateService> logger) : PeriodicWorker(clock, logger)
{
    const int MaxEndedGates = 10_000;

    /// <summary>The coupons whose gate this process is rebuilding.</summary>
    readonly ConcurrentDictionary<long, byte> _rebuilding = new();

    /// <summary>The gates of ended coupons that already expire in Redis. Setting the expiry again would be harmless.</summary>
    readonly HashSet<(long Id, int Version, int Epoch)> _over = [];

    readonly Quarantine<long> _quarantine = new("gate of coupon", clock, logger);

    protected override TimeSpan Interval => TimeSpan.FromMilliseconds(250);

    protected override async Task RunOnceAsync(CancellationToken stoppingToken)
    {
        if (_over.Count > MaxEndedGates) _over.Clear();
        // A server whose run id is unknown may be the right one, so its gates are skipped.
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
                    // Rebuilds run in parallel, because a lost server had the gates of many coupons, and a slow rebuild must not delay
                    // others. The coupon is recorded before the rebuild starts, because the rebuild ends at once if another process does
                    // it.
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
