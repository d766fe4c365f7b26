using System.Diagnostics.Metrics;
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
    : BackgroundService
{
    static readonly Counter<long> Expired = CommerceTelemetry.Meter.CreateCounter<long>("commerce.orders.expired");
    static readonly TimeSpan Every = TimeSpan.FromMilliseconds(250);

    /// <summary>A hold that is over in the gate and lives in the ledger (extended, pinned or paid) is looked at again after this.</summary>
    static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(5);

    const int MostTogether = 1000;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                while (await ExpireAsync(stoppingToken) == MostTogether) { }
                while (await HealAsync(stoppingToken) == MostTogether) { }
            }
            catch (Exception e) when (DependencyFaults.Is(e))
            {
                LogWaiting(logger, e.Message);
            }
        }
    }

    async Task<int> ExpireAsync(CancellationToken cancellationToken)
    {
        var lapsed = await orders.ExpireAsync(MostTogether, cancellationToken);
        if (lapsed.Count == 0) return 0;
        Expired.Add(lapsed.Count);
        LogExpired(logger, lapsed.Count);
        await gate.ReleaseAsync(lapsed);
        return lapsed.Count;
    }

    async Task<int> HealAsync(CancellationToken cancellationToken)
    {
        var due = await gate.TakeDueAsync(MostTogether, LookAgain);
        if (due.Count > 0) await reconciler.EndHoldsAsync(due, endUnknown: true, cancellationToken);
        return due.Count;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Count} orders expired")]
    static partial void LogExpired(ILogger logger, int count);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Reaping waits: {Reason}")]
    static partial void LogWaiting(ILogger logger, string reason);
}
