using System.Diagnostics.Metrics;
using Commerce.Core.Background;
using Commerce.Core.Inventory;
using Commerce.Core.Orders;
using Commerce.ServiceDefaults;

namespace Commerce.Workers.Inventory;

/// <summary>
/// Ends orders whose hold lapsed and gives their pieces back. The ledger says which, by its clock. Then it looks at the holds whose deadline is
/// over in the gate: what they belong to was never committed, or ended without the gate having been told. Several reapers may run.
/// </summary>
sealed partial class HoldReaper(
    OrderLedger orders, InventoryGate gate, InventoryReconciler reconciler, TimeProvider clock, ILogger<HoldReaper> logger)
    : PeriodicWorker(clock, logger)
{
    static readonly Counter<long> Expired = CommerceTelemetry.Meter.CreateCounter<long>("commerce.orders.expired");

    /// <summary>A hold that is over in the gate and lives in the ledger (extended, pinned or paid) is looked at again after this.</summary>
    static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(5);

    const int MostTogether = 1000;

    readonly SetAside<string> _aside = new("hold of order", clock, logger);

    protected override TimeSpan Interval => TimeSpan.FromMilliseconds(250);

    protected override Task RunOnceAsync(CancellationToken stoppingToken) => RunAllAsync(
        async () => { while (await ExpireAsync(stoppingToken) == MostTogether) { } },
        async () => { while (await HealAsync(stoppingToken) == MostTogether) { } });

    async Task<int> ExpireAsync(CancellationToken cancellationToken)
    {
        var lapsed = await orders.ExpireAsync(MostTogether, cancellationToken);
        if (lapsed.Count == 0) return 0;
        Expired.Add(lapsed.Count);
        LogExpired(Logger, lapsed.Count);
        await gate.ReleaseAsync(lapsed);
        return lapsed.Count;
    }

    async Task<int> HealAsync(CancellationToken cancellationToken)
    {
        var due = await gate.TakeDueAsync(MostTogether, LookAgain);
        if (due.Count == 0) return 0;
        try
        {
            await reconciler.EndHoldsAsync(due, endUnknown: true, cancellationToken);
        }
        catch (Exception e) when (!DependencyFaults.Is(e) && !cancellationToken.IsCancellationRequested)
        {
            // One of them is not what it should be: the others are ended without it.
            await _aside.TryEachAsync(due, order => reconciler.EndHoldsAsync([order], endUnknown: true, cancellationToken), cancellationToken);
        }

        return due.Count;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Count} orders expired")]
    static partial void LogExpired(ILogger logger, int count);
}
