using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;
using Commerce.Core.Database;
using Commerce.Core.Orders;
using Commerce.Core.Reconciliation;
using Commerce.ServiceDefaults;
using Microsoft.Extensions.Logging;

namespace Commerce.Core.Inventory;

/// <summary>
/// Compares the gate with the database: of every product, what is available must be the stock without what is held. Differences come and go while
/// orders move; one that two looks find unchanged, with nothing moved in between, is repaired: the gate is opened anew under a higher epoch. To set
/// the number alone would be undone by a change that was committed before, and reaches the gate after: it carries the epoch that it was made under.
/// </summary>
public sealed partial class InventoryReconciler(
    MySqlDatabase database, OrderRepository orders, InventoryGate gate, InventoryGateRebuilder rebuilder, TimeProvider clock, ILogger<InventoryReconciler> logger) : IReconciler
{
    static readonly Counter<long> Healed = CommerceTelemetry.Meter.CreateCounter<long>("commerce.inventory.holds.healed");
    static readonly Counter<long> Found = CommerceTelemetry.Meter.CreateCounter<long>("commerce.inventory.drift.found");
    static readonly Counter<long> Repaired = CommerceTelemetry.Meter.CreateCounter<long>("commerce.inventory.drift.repaired");

    /// <summary>Between the two looks.</summary>
    static readonly TimeSpan StabilityInterval = TimeSpan.FromSeconds(1);

    const int BatchSize = 1000;
    const int MaxIdLength = 36;

    /// <inheritdoc/>
    public string Name => "inventory";

    /// <summary>Repairs what two looks find wrong and unmoved, and returns how many products those were.</summary>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        var first = await CompareAsync(cancellationToken);
        if (first.Count == 0) return 0;
        await Task.Delay(StabilityInterval, clock, cancellationToken);
        var drifts = (await CompareAsync(cancellationToken)).Intersect(first).ToList();
        if (drifts.Count == 0) return 0;
        // Before the repair: it leaves no trace of what was wrong.
        await database.ExecuteAsync($"""
            INSERT INTO inventory_drift (product_id, epoch, stock, held, available)
            VALUES {string.Join(", ", drifts.Select(d => string.Create(CultureInfo.InvariantCulture, $"({d.ProductId}, {d.Epoch}, {d.Stock}, {d.Held}, {d.Available})")))}
            """, null, cancellationToken);
        foreach (var drift in drifts)
        {
            Found.Add(1, new KeyValuePair<string, object?>("gate", drift.TooMany ? "more" : "less"));
            LogFound(logger, drift.TooMany ? LogLevel.Error : LogLevel.Warning, drift.ProductId, drift.Available, drift.Expected, drift.Stock, drift.Held);
        }

        if (!await rebuilder.TryOpenAsync(drifts[0].Epoch, cancellationToken)) return 0;
        Repaired.Add(drifts.Count);
        return drifts.Count;
    }

    /// <summary>
    /// Ends the holds of those orders that the database says hold nothing any more: it was done there and the gate was not told. Safe to repeat.
    /// </summary>
    /// <param name="orderIds">Orders with a hold in the gate.</param>
    /// <param name="endUnknown">Whether the hold of an order that the database does not have is over: it was not committed in all its time.</param>
    /// <returns>The orders that the database does not have.</returns>
    public async Task<IReadOnlyList<string>> EndHoldsAsync(IReadOnlyList<string> orderIds, bool endUnknown, CancellationToken cancellationToken)
    {
        var unknown = new List<string>();
        foreach (var chunk in orderIds.Chunk(BatchSize))
        {
            // MySQL refuses to compare what cannot be an id; it belongs to no order, like any other that the database does not have.
            var strange = chunk.Where(id => id.Length is 0 or > MaxIdLength || !Ascii.IsValid(id)).ToList();
            foreach (var id in strange) LogInvalidId(logger, id.Length);
            var known = (await orders.ListStatesAsync([.. chunk.Except(strange)], cancellationToken)).ToDictionary(o => o.Id);
            var missing = chunk.Where(id => !known.ContainsKey(id)).ToList();
            // Whoever refunds an order gives its pieces back; to release its hold besides would give them back twice. Where that one died, the
            // pieces are missing in the gate until the drift is found.
            var confirm = known.Values.Where(o => o is { Holding: false, Status: OrderState.Paid or OrderState.Refunded }).Select(o => o.Id).ToList();
            var release = known.Values.Where(o => o is { Holding: false, Status: not (OrderState.Paid or OrderState.Refunded) }).Select(o => o.Id).ToList();
            if (endUnknown) release.AddRange(missing);
            await gate.ConfirmAsync(confirm);
            await gate.ReleaseAsync(release);
            unknown.AddRange(missing);
            if (confirm.Count + release.Count == 0) continue;
            Healed.Add(confirm.Count + release.Count);
            LogHealed(logger, release.Count, confirm.Count);
        }

        return unknown;
    }

    /// <summary>Products whose pieces do not add up at this moment.</summary>
    public async Task<IReadOnlyList<InventoryDrift>> CompareAsync(CancellationToken cancellationToken)
    {
        if (await gate.SnapshotAsync() is not { Current: true } held) return [];
        var unknown = await EndHoldsAsync([.. held.Holds.Keys], endUnknown: false, cancellationToken);
        var uncommitted = unknown.SelectMany(id => held.Holds[id]).GroupBy(l => l.ProductId).ToDictionary(p => p.Key, p => p.Sum(l => (long)l.Quantity));
        var products = await database.QueryAsync<(long Id, int Stock, long Held)>("""
            SELECT p.id, p.stock, CAST(COALESCE(h.held, 0) AS SIGNED) FROM product p LEFT JOIN (
              SELECT i.product_id, SUM(i.quantity) AS held FROM orders o JOIN order_item i ON i.order_id = o.id WHERE o.holding GROUP BY i.product_id
            ) h ON h.product_id = p.id
            """, null, cancellationToken);
        return
        [
            .. from product in products
               where held.Available.ContainsKey(product.Id)
               let holds = product.Held + uncommitted.GetValueOrDefault(product.Id)
               where held.Available[product.Id] != product.Stock - holds
               select new InventoryDrift(held.Epoch, product.Id, product.Stock, holds, held.Available[product.Id], HoldersOf(product.Id)),
        ];

        string HoldersOf(long productId) =>
            string.Join(' ', held.Holds.Where(h => h.Value.Any(l => l.ProductId == productId)).Select(h => h.Key).Order(StringComparer.Ordinal));
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Stale holds ended: {Released} released, {Confirmed} confirmed")]
    static partial void LogHealed(ILogger logger, int released, int confirmed);

    [LoggerMessage(Level = LogLevel.Error, Message = "Released a hold with an invalid order id of {Length} characters")]
    static partial void LogInvalidId(ILogger logger, int length);

    [LoggerMessage(Message = "Product {ProductId}: {Available} available in the gate, expected {Expected} (stock {Stock}, held {Held})")]
    static partial void LogFound(ILogger logger, LogLevel level, long productId, long available, long expected, int stock, long held);
}

/// <summary>A product of which what is available is not the stock without what is held.</summary>
/// <param name="Held">For orders that the database has, and for such as are about to be committed.</param>
/// <param name="Available">In the gate.</param>
/// <param name="Holders">The orders that hold some of it in the gate: two looks that find others have seen it move, whatever the numbers say.</param>
public sealed record InventoryDrift(int Epoch, long ProductId, int Stock, long Held, long Available, string Holders)
{
    /// <summary>What should be available.</summary>
    public long Expected => Stock - Held;

    /// <summary>Whether more could be sold than there is, which must not happen; less comes of a process that died, or of Redis being away.</summary>
    public bool TooMany => Available > Expected;
}
