using System.Diagnostics.Metrics;
using Commerce.ServiceDefaults;
using Microsoft.Extensions.Logging;

namespace Commerce.Core.Inventory;

/// <summary>Opens the gate of the inventory with what the database says, in place of what it held. The claim in the database lets one caller do it.</summary>
public sealed partial class InventoryGateRebuilder(InventoryRepository repository, InventoryGate gate, TimeProvider clock, ILogger<InventoryGateRebuilder> logger)
{
    static readonly Histogram<double> Rebuilt = CommerceTelemetry.Meter.CreateHistogram<double>("commerce.inventory.gate.rebuild", "s");

    /// <summary>Longer than a rebuild takes; after it another caller may try.</summary>
    static readonly TimeSpan Lease = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Raises the epoch and opens the gate under the new one. Orders that hold pieces but are not committed yet are refused, and whatever was
    /// about to be told to the gate of an older epoch is ignored: the database has it. False where somebody else does it, or Redis did not take it.
    /// </summary>
    /// <param name="seenEpoch">The epoch of the database when the caller looked.</param>
    public async Task<bool> TryOpenAsync(int seenEpoch, CancellationToken cancellationToken)
    {
        // Nobody is to be refused for a gate that cannot be opened.
        if (!gate.KnowsServer) return false;
        var start = clock.GetTimestamp();
        if (await repository.ClaimGateAsync(seenEpoch, Lease, cancellationToken) is not { } content) return false;
        await gate.CloseStaleAsync(content.Epoch);
        if (!await gate.OpenAsync(content)) return false;
        await repository.EndGateClaimAsync(content.Epoch, cancellationToken);
        var took = clock.GetElapsedTime(start);
        Rebuilt.Record(took.TotalSeconds);
        LogOpen(logger, content.Epoch, content.Available.Count, content.Holds.Count, took.TotalSeconds);
        return true;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Inventory gate open (epoch {Epoch}) with {Products} products and {Holds} holds after {Seconds:F2} s")]
    static partial void LogOpen(ILogger logger, int epoch, int products, int holds, double seconds);
}
