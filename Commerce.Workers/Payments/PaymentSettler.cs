using Commerce.Core.Payments;
using Commerce.ServiceDefaults;
using Microsoft.Extensions.Options;

namespace Commerce.Workers.Payments;

/// <summary>
/// Runs the reconciler of payments twice a second, and measures how many wait for the gateway, and how many do so for too long. Several may run.
/// </summary>
sealed partial class PaymentSettler : BackgroundService
{
    static readonly TimeSpan Every = TimeSpan.FromMilliseconds(500);
    static readonly TimeSpan MeasureEvery = TimeSpan.FromSeconds(10);
    static readonly TimeSpan TellEvery = TimeSpan.FromMinutes(1);

    readonly PaymentReconciler _reconciler;
    readonly PaymentLedger _ledger;
    readonly TimeSpan _overdueAfter;
    readonly TimeProvider _clock;
    readonly ILogger<PaymentSettler> _logger;
    long _waiting, _overdue;
    long? _told;

    public PaymentSettler(
        PaymentReconciler reconciler, PaymentLedger ledger, IOptions<PaymentOptions> options, TimeProvider clock, ILogger<PaymentSettler> logger)
    {
        (_reconciler, _ledger, _overdueAfter, _clock, _logger) = (reconciler, ledger, options.Value.OverdueAfter, clock, logger);
        CommerceTelemetry.Meter.CreateObservableGauge("commerce.payments.waiting", () => _waiting);
        CommerceTelemetry.Meter.CreateObservableGauge("commerce.payments.overdue", () => _overdue);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, _clock);
        long? measured = null;
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await _reconciler.RunAsync(stoppingToken);
                if (measured is { } at && _clock.GetElapsedTime(at) < MeasureEvery) continue;
                measured = _clock.GetTimestamp();
                await MeasureAsync(stoppingToken);
            }
            catch (Exception e) when (DependencyFaults.Is(e))
            {
                LogWaiting(_logger, e.Message);
            }
        }
    }

    async Task MeasureAsync(CancellationToken cancellationToken)
    {
        _waiting = await _ledger.CountWaitingAsync(cancellationToken);
        var overdue = await _ledger.FindOverdueAsync(_overdueAfter, cancellationToken);
        _overdue = overdue?.Count ?? 0;
        if (overdue is null || (_told is { } at && _clock.GetElapsedTime(at) < TellEvery)) return;
        _told = _clock.GetTimestamp();
        LogOverdue(_logger, overdue.Count, overdue.OrderId, overdue.Seconds);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The gateway leaves {Count} payments or refunds open; the oldest, of order {OrderId}, for {Seconds} s")]
    static partial void LogOverdue(ILogger logger, long count, string orderId, long seconds);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Settling payments waits: {Reason}")]
    static partial void LogWaiting(ILogger logger, string reason);
}
