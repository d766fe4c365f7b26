using Commerce.Core.Background;
using Commerce.Core.Payments;
using Microsoft.Extensions.Options;

namespace Commerce.Workers.Payments;

/// <summary>
/// Runs the payment reconciler twice a second, and measures waiting and overdue payments. Several instances can run.
/// </summary>
sealed partial class PaymentReconciliationService : PeriodicWorker
{
    static readonly TimeSpan MeasureInterval = TimeSpan.FromSeconds(10);
    static readonly TimeSpan ReportInterval = TimeSpan.FromMinutes(1);

    readonly PaymentReconciler _reconciler;
    readonly PaymentRepository _repository;
    readonly TimeSpan _overdueAfter;
    long _waiting, _overdue;
    long? _reportedAt, _measured;

    public PaymentReconciliationService(
        PaymentReconciler reconciler, PaymentRepository repository, IOptions<PaymentOptions> options, TimeProvider clock, ILogger<PaymentReconciliationService> logger)
        : base(clock, logger)
    {
        (_reconciler, _repository, _overdueAfter) = (reconciler, repository, options.Value.OverdueAfter);
        CommerceTelemetry.Meter.CreateObservableGauge("commerce.payments.waiting", () => _waiting);
        CommerceTelemetry.Meter.CreateObservableGauge("commerce.payments.overdue", () => _overdue);
    }

    protected override TimeSpan Interval => TimeSpan.FromMilliseconds(500);

    protected override Task RunOnceAsync(CancellationToken stoppingToken) => RunAllAsync(() => _reconciler.RunAsync(stoppingToken), () => MeasureAsync(stoppingToken));

    async Task MeasureAsync(CancellationToken cancellationToken)
    {
        if (_measured is { } measured && Clock.GetElapsedTime(measured) < MeasureInterval) return;
        _measured = Clock.GetTimestamp();
        _waiting = await _repository.CountWaitingAsync(cancellationToken);
        var overdue = await _repository.FindOverdueAsync(_overdueAfter, cancellationToken);
        _overdue = overdue?.Count ?? 0;
        if (overdue is null || (_reportedAt is { } at && Clock.GetElapsedTime(at) < ReportInterval)) return;
        _reportedAt = Clock.GetTimestamp();
        LogOverdue(Logger, overdue.Count, overdue.OrderId, overdue.Seconds);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Count} payments or refunds are open for too long; the oldest, of order {OrderId}, for {Seconds} s")]
    static partial void LogOverdue(ILogger logger, long count, string orderId, long seconds);
}
