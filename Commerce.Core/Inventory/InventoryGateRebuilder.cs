using System.Diagnostics.Metrics;

namespace Commerce.Core.Inventory;

/// <summary>
/// Opens the inventory gate with the content of the database. A claim in the database ensures that only one caller does it.
/// </summary>
public sealed partial class InventoryGateRebuilder(InventoryRepository repository, InventoryGate gate, TimeProvider clock, ILogger<InventoryGateRebuilder> logger)
{
    static readonly Histogram<double> Rebuilt = CommerceTelemetry.Meter.CreateHistogram<double>("commerce.inventory.gate.rebuild", "s");

    /// <summary>The lease of a claim. It is longer than a rebuild takes. After it another caller may try.</summary>
    static readonly TimeSpan Lease = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Increments the epoch and opens the gate under it. An order that holds stock under the old epoch and has not committed is refused.
    /// Messages to a gate of an older epoch are ignored, because the database already includes their effect. Returns false if another
    /// caller rebuilds the gate, or Redis failed.
    /// </summary>
    /// <param name="seenEpoch">The epoch that the caller has read from the database.</param>
    public async Task<bool> TryOpenAsync(int seenEpoch, CancellationToken cancellationToken)
    {
        // Do not close a gate that cannot be opened afterwards.
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
