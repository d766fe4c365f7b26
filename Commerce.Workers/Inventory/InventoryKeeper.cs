using System.Diagnostics.Metrics;
using Commerce.Core.Inventory;
using Commerce.ServiceDefaults;

namespace Commerce.Workers.Inventory;

/// <summary>
/// Opens the gate of the inventory, and rebuilds it from the ledger when Redis lost it. Several keepers may run; the claim in the ledger lets one
/// of them rebuild.
/// </summary>
sealed partial class InventoryKeeper(InventoryLedger ledger, InventoryGate gate, TimeProvider clock, ILogger<InventoryKeeper> logger) : BackgroundService
{
    static readonly Histogram<double> Rebuilt = CommerceTelemetry.Meter.CreateHistogram<double>("commerce.inventory.gate.rebuild", "s");
    static readonly TimeSpan Every = TimeSpan.FromMilliseconds(250);

    /// <summary>Longer than a rebuild takes; after it another keeper tries.</summary>
    static readonly TimeSpan Lease = TimeSpan.FromSeconds(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, clock);
        do
        {
            try
            {
                await KeepAsync(stoppingToken);
            }
            catch (Exception e) when (DependencyFaults.Is(e))
            {
                LogWaiting(logger, e.Message);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    async Task KeepAsync(CancellationToken cancellationToken)
    {
        var start = clock.GetTimestamp();
        var epoch = await ledger.FindEpochAsync(cancellationToken);
        if (await gate.InspectAsync() is { Current: true } open && open.Epoch == epoch) return;
        if (await ledger.ClaimGateAsync(epoch, Lease, cancellationToken) is not { } content) return;
        await gate.CloseStaleAsync(content.Epoch);
        if (!await gate.OpenAsync(content)) return;
        await ledger.EndGateClaimAsync(content.Epoch, cancellationToken);
        var took = clock.GetElapsedTime(start);
        Rebuilt.Record(took.TotalSeconds);
        LogOpen(logger, content.Epoch, content.Available.Count, content.Holds.Count, took.TotalSeconds);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The inventory is open (epoch {Epoch}): {Products} products, {Holds} holds, after {Seconds:F2} s")]
    static partial void LogOpen(ILogger logger, int epoch, int products, int holds, double seconds);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Keeping the inventory waits: {Reason}")]
    static partial void LogWaiting(ILogger logger, string reason);
}
