using System.Diagnostics.Metrics;
using Commerce.Core.Background;
using Commerce.Core.Coupons;

namespace Commerce.Workers.Coupons;

/// <summary>
/// Publishes acceptances again whose rows did not arrive in time. This happens after a crash of the Api between gate and Kafka, after
/// a lost message, and while the consumer is down. Several instances can run. Each entry is given to one of them.
/// </summary>
sealed partial class CouponSweeper(CouponRepository repository, CouponGate gate, CouponPublisher publisher, TimeProvider clock, ILogger<CouponSweeper> logger)
    : PeriodicWorker(clock, logger)
{
    static readonly Counter<long> Swept = CommerceTelemetry.Meter.CreateCounter<long>("commerce.coupons.swept");
    const int BatchSize = 500;

    readonly Quarantine<long> _quarantine = new("coupon to sweep", clock, logger);

    protected override TimeSpan Interval => TimeSpan.FromSeconds(1);

    protected override async Task RunOnceAsync(CancellationToken stoppingToken)
    {
        var coupons = (await repository.ListGatedAsync(stoppingToken)).Where(c => c.GateEpoch > 0).Select(c => c.Id);
        await _quarantine.TryEachAsync(coupons, SweepAsync, stoppingToken);
    }

    async Task SweepAsync(long couponId)
    {
        int count;
        do
        {
            var (epoch, due) = await gate.SweepAsync(couponId, BatchSize);
            // While the gate is closed, the rebuilder handles the entries.
            if (epoch == 0) return;
            count = due.Count;
            if (count == 0) return;
            var published = (await Task.WhenAll(due.Select(d => publisher.TryPublishAsync(new(couponId, epoch, d.UserId, d.AcceptedAt))))).Count(p => p);
            Swept.Add(published);
            LogSwept(Logger, couponId, published, count);
        }
        while (count == BatchSize);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Coupon {CouponId}: published {Published} of {Due} pending acceptances again")]
    static partial void LogSwept(ILogger logger, long couponId, int published, int due);
}
