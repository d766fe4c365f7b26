using System.Diagnostics.Metrics;
using Commerce.Core.Background;
using Commerce.Core.Inventory;
using Commerce.Core.Orders;

namespace Commerce.Workers.Inventory;

/// <summary>
/// Expires orders whose hold has ended and returns their stock. The database decides by its clock. Then it checks expired holds in
/// the gate, whose orders were never committed, or ended without a message to the gate. Several instances can run.
/// </summary>
sealed partial class HoldReaper(
    OrderRepository orders, InventoryGate gate, InventoryReconciler reconciler, TimeProvider clock, ILogger<HoldReaper> logger)
    : PeriodicWorker(clock, logger)
{
    static readonly Counter<long> Expired = CommerceTelemetry.Meter.CreateCounter<long>("commerce.orders.expired");

    /// <summary>
    /// The time after which a hold is checked again that has expired in the gate, but is alive in the database (extended, pinned or
    /// paid).
    /// </summary>
    static readonly TimeSpan RecheckDelay = TimeSpan.FromSeconds(5);

    const int BatchSize = 1000;

    readonly Quarantine<string> _quarantine = new("hold of order", clock, logger);

    protected override TimeSpan Interval => TimeSpan.FromMilliseconds(250);

    protected override Task RunOnceAsync(CancellationToken stoppingToken) => RunAllAsync(
        async () => { while (await ExpireAsync(stoppingToken) == BatchSize) { } },
        async () => { while (await EndStaleHoldsAsync(stoppingToken) == BatchSize) { } });

    async Task<int> ExpireAsync(CancellationToken cancellationToken)
    {
        var lapsed = await orders.ExpireAsync(BatchSize, cancellationToken);
        if (lapsed.Count == 0) return 0;
        Expired.Add(lapsed.Count);
        LogExpired(Logger, lapsed.Count);
        await gate.ReleaseAsync(lapsed);
        return lapsed.Count;
    }

    async Task<int> EndStaleHoldsAsync(CancellationToken cancellationToken)
    {
        var due = await gate.TakeDueAsync(BatchSize, RecheckDelay);
        if (due.Count == 0) return 0;
        try
        {
            await reconciler.EndHoldsAsync(due, endUnknown: true, cancellationToken);
        }
        catch (Exception e) when (!TransientFaults.IsTransient(e) && !cancellationToken.IsCancellationRequested)
        {
            // One of the holds is invalid. Each is ended alone now, so that it does not block the others.
            await _quarantine.TryEachAsync(due, order => reconciler.EndHoldsAsync([order], endUnknown: true, cancellationToken), cancellationToken);
        }

        return due.Count;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Count} orders expired")]
    static partial void LogExpired(ILogger logger, int count);
}
