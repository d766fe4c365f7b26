using Commerce.Core.Payments;
using Commerce.ServiceDefaults;

namespace Commerce.Workers.Payments;

/// <summary>Runs the reconciler of payments twice a second, and measures how many wait for the gateway. Several may run.</summary>
sealed partial class PaymentSettler : BackgroundService
{
    static readonly TimeSpan Every = TimeSpan.FromMilliseconds(500);
    static readonly TimeSpan MeasureEvery = TimeSpan.FromSeconds(10);

    readonly PaymentReconciler _reconciler;
    readonly PaymentLedger _ledger;
    readonly TimeProvider _clock;
    readonly ILogger<PaymentSettler> _logger;
    long _waiting;

    public PaymentSettler(PaymentReconciler reconciler, PaymentLedger ledger, TimeProvider clock, ILogger<PaymentSettler> logger)
    {
        (_reconciler, _ledger, _clock, _logger) = (reconciler, ledger, clock, logger);
        CommerceTelemetry.Meter.CreateObservableGauge("commerce.payments.waiting", () => _waiting);
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
                _waiting = await _ledger.CountWaitingAsync(stoppingToken);
            }
            catch (Exception e) when (DependencyFaults.Is(e))
            {
                LogWaiting(_logger, e.Message);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Settling payments waits: {Reason}")]
    static partial void LogWaiting(ILogger logger, string reason);
}
