using System.Diagnostics.Metrics;
using Commerce.Core.Coupons;
using Commerce.ServiceDefaults;

namespace Commerce.Workers.Coupons;

/// <summary>
/// Publishes acceptances again whose rows did not arrive in time: after a crash of the Api between the gate and Kafka, after a lost
/// message, or while the consumer is away. Several sweepers may run: each entry is handed to one of them.
/// </summary>
sealed partial class CouponSweeper(CouponLedger ledger, CouponGate gate, CouponPublisher publisher, TimeProvider clock, ILogger<CouponSweeper> logger)
    : BackgroundService
{
    static readonly Counter<long> Swept = CommerceTelemetry.Meter.CreateCounter<long>("commerce.coupons.swept");
    static readonly TimeSpan Every = TimeSpan.FromSeconds(1);
    const int MostTogether = 500;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                foreach (var coupon in (await ledger.ListGatedAsync(stoppingToken)).Where(c => c.GateEpoch > 0)) await SweepAsync(coupon.Id);
            }
            catch (Exception e) when (DependencyFaults.Is(e))
            {
                LogWaiting(logger, e.Message);
            }
        }
    }

    async Task SweepAsync(long couponId)
    {
        int count;
        do
        {
            var (epoch, due) = await gate.SweepAsync(couponId, MostTogether);
            // While the gate is closed the keeper looks after the entries.
            if (epoch == 0) return;
            count = due.Count;
            if (count == 0) return;
            var published = (await Task.WhenAll(due.Select(d => publisher.TryPublishAsync(new(couponId, epoch, d.UserId, d.AcceptedAt))))).Count(p => p);
            Swept.Add(published);
            LogSwept(logger, couponId, published, count);
        }
        while (count == MostTogether);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Coupon {CouponId}: published {Published} of {Due} pending acceptances again")]
    static partial void LogSwept(ILogger logger, long couponId, int published, int due);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Sweeping waits: {Reason}")]
    static partial void LogWaiting(ILogger logger, string reason);
}
