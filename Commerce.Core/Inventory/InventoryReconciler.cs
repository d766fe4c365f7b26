using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;
using Commerce.Core.Database;
using Commerce.Core.Reconciliation;

namespace Commerce.Core.Inventory;

/// <summary>
/// Compares the gate with the database. The available stock of a product must be its stock minus its holds. Differences come and go
/// while orders are placed and paid. A difference is repaired only if two checks find it unchanged and no order moved in between. The
/// repair opens the gate under a higher epoch. Overwriting the number is not enough: a change committed earlier may still arrive and
/// be applied on top of it. Such a change carries its epoch, so a newer gate ignores it. The units of customers are compared in the
/// same way, some customers in each run.
/// </summary>
public sealed partial class InventoryReconciler(
    MySqlDatabase database, IHoldOwners orders, InventoryRepository repository, InventoryGate gate, InventoryGateRebuilder rebuilder, TimeProvider clock,
    ILogger<InventoryReconciler> logger) : IReconciler
{
    static readonly Counter<long> Healed = CommerceTelemetry.Meter.CreateCounter<long>("commerce.inventory.holds.healed");
    static readonly Counter<long> Found = CommerceTelemetry.Meter.CreateCounter<long>("commerce.inventory.drift.found");
    static readonly Counter<long> Repaired = CommerceTelemetry.Meter.CreateCounter<long>("commerce.inventory.drift.repaired");

    /// <summary>The time between the two checks.</summary>
    static readonly TimeSpan StabilityInterval = TimeSpan.FromSeconds(1);

    const int BatchSize = 1000;
    const int MaxIdLength = 36;

    /// <summary>The last customer of the previous run. Null: the next run starts with the first customer.</summary>
    CustomerPieces? _comparedTo;

    /// <inheritdoc/>
    public string Name => "inventory";

    /// <summary>Repairs differences that two checks find unchanged. Returns the number of affected products and customers.</summary>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        var after = _comparedTo;
        var first = await CompareAsync(cancellationToken);
        (var firstCounts, _comparedTo) = await CompareCustomersAsync(after, cancellationToken);
        if (first.Count + firstCounts.Count == 0) return 0;
        await Task.Delay(StabilityInterval, clock, cancellationToken);
        var drifts = (await CompareAsync(cancellationToken)).Intersect(first).ToList();
        var counts = (await CompareCustomersAsync(after, cancellationToken)).Drifts.Intersect(firstCounts).ToList();
        if (drifts.Count + counts.Count == 0) return 0;
        await RecordAsync(drifts, cancellationToken);
        foreach (var count in counts)
        {
            Found.Add(1, new KeyValuePair<string, object?>("gate", count.TooFew ? "counts-less" : "counts-more"));
            LogMiscounted(logger, count.TooFew ? LogLevel.Error : LogLevel.Warning, count.ProductId, count.Counted, count.Expected);
        }

        if (!await rebuilder.TryOpenAsync(drifts.Count > 0 ? drifts[0].Epoch : counts[0].Epoch, cancellationToken)) return 0;
        Repaired.Add(drifts.Count + counts.Count);
        return drifts.Count + counts.Count;
    }

    async Task RecordAsync(List<InventoryDrift> drifts, CancellationToken cancellationToken)
    {
        if (drifts.Count == 0) return;
        // The drift is recorded before the repair, because the repair leaves no trace of it.
        await database.ExecuteAsync($"""
            INSERT INTO inventory_drift (product_id, epoch, stock, held, available)
            VALUES {string.Join(", ", drifts.Select(d => string.Create(CultureInfo.InvariantCulture, $"({d.ProductId}, {d.Epoch}, {d.Stock}, {d.Held}, {d.Available})")))}
            """, null, cancellationToken);
        foreach (var drift in drifts)
        {
            Found.Add(1, new KeyValuePair<string, object?>("gate", drift.TooMany ? "more" : "less"));
            LogFound(logger, drift.TooMany ? LogLevel.Error : LogLevel.Warning, drift.ProductId, drift.Available, drift.Expected, drift.Stock, drift.Held);
        }
    }

    /// <summary>
    /// Ends the holds of orders that no longer hold stock in the database. This happens if the message to the gate was lost. Repeated
    /// calls are safe.
    /// </summary>
    /// <param name="orderIds">Orders with a hold in the gate.</param>
    /// <param name="endUnknown">Whether to end the holds of unknown orders, which were not committed before their deadline.</param>
    /// <returns>The orders that are not in the database.</returns>
    public async Task<IReadOnlyList<string>> EndHoldsAsync(IReadOnlyList<string> orderIds, bool endUnknown, CancellationToken cancellationToken)
    {
        var unknown = new List<string>();
        foreach (var chunk in orderIds.Chunk(BatchSize))
        {
            // An id of this form belongs to no order, and MySQL cannot compare it.
            var strange = chunk.Where(id => id.Length is 0 or > MaxIdLength || !Ascii.IsValid(id)).ToList();
            foreach (var id in strange) LogInvalidId(logger, id.Length);
            var known = await orders.FindStatesAsync([.. chunk.Except(strange)], cancellationToken);
            var missing = chunk.Where(id => !known.ContainsKey(id)).ToList();
            // A refund returns the stock itself. Releasing the hold as well would return it twice. If the process of the refund died, the
            // reconciler finds the difference.
            var confirm = known.Where(o => o.Value == HoldState.Deducted).Select(o => o.Key).ToList();
            var release = known.Where(o => o.Value == HoldState.Ended).Select(o => o.Key).ToList();
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

    /// <summary>Lists the products whose available stock is wrong at this moment.</summary>
    public async Task<IReadOnlyList<InventoryDrift>> CompareAsync(CancellationToken cancellationToken)
    {
        if (await gate.SnapshotAsync() is not { Current: true } held) return [];
        var unknown = await EndHoldsAsync([.. held.Holds.Keys], endUnknown: false, cancellationToken);
        var uncommitted = unknown.SelectMany(id => held.Holds[id].Lines).GroupBy(l => l.ProductId).ToDictionary(p => p.Key, p => p.Sum(l => (long)l.Quantity));
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
            string.Join(' ', held.Holds.Where(h => h.Value.Lines.Any(l => l.ProductId == productId)).Select(h => h.Key).Order(StringComparer.Ordinal));
    }

    /// <summary>Lists the customers whose units are counted wrongly at this moment.</summary>
    public async Task<IReadOnlyList<CustomerDrift>> CompareAllCustomersAsync(CancellationToken cancellationToken)
    {
        var all = new List<CustomerDrift>();
        CustomerPieces? after = null;
        do
        {
            (var drifts, after) = await CompareCustomersAsync(after, cancellationToken);
            all.AddRange(drifts);
        }
        while (after is not null);
        return all;
    }

    /// <summary>
    /// Compares the customers after <paramref name="after"/>. Also returns the last of them, or null if there are no more.
    /// </summary>
    async Task<(IReadOnlyList<CustomerDrift> Drifts, CustomerPieces? Last)> CompareCustomersAsync(CustomerPieces? after, CancellationToken cancellationToken)
    {
        var customers = await repository.ListCustomersAsync(after, BatchSize, cancellationToken);
        var last = customers.Count == BatchSize ? customers[^1] : null;
        if (customers.Count == 0 || await gate.SnapshotAsync() is not { Current: true } held) return ([], last);
        var known = await orders.FindStatesAsync([.. held.Holds.Keys], cancellationToken);
        var uncommitted = held.Holds.Where(h => !known.ContainsKey(h.Key)).SelectMany(h => h.Value.Lines.Select(l => (l.ProductId, h.Value.UserId, l.Quantity)))
            .ToLookup(l => (l.ProductId, l.UserId), l => (long)l.Quantity);
        var counts = await gate.CountAsync(customers);
        return ([
            .. from pair in customers.Zip(counts, (customer, count) => (Customer: customer, Count: count))
               let expected = pair.Customer.Pieces + uncommitted[(pair.Customer.ProductId, pair.Customer.UserId)].Sum()
               where pair.Count != expected
               select new CustomerDrift(held.Epoch, pair.Customer.ProductId, pair.Customer.UserId, expected, pair.Count, HoldersOf(pair.Customer)),
        ], last);

        string HoldersOf(CustomerPieces customer) => string.Join(' ', held.Holds
            .Where(h => h.Value.UserId == customer.UserId && h.Value.Lines.Any(l => l.ProductId == customer.ProductId)).Select(h => h.Key).Order(StringComparer.Ordinal));
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Stale holds ended: {Released} released, {Confirmed} confirmed")]
    static partial void LogHealed(ILogger logger, int released, int confirmed);

    [LoggerMessage(Level = LogLevel.Error, Message = "Released a hold with an invalid order id of {Length} characters")]
    static partial void LogInvalidId(ILogger logger, int length);

    [LoggerMessage(Message = "Product {ProductId}: {Counted} counted for a customer in the gate, expected {Expected}")]
    static partial void LogMiscounted(ILogger logger, LogLevel level, long productId, long counted, long expected);

    [LoggerMessage(Message = "Product {ProductId}: {Available} available in the gate, expected {Expected} (stock {Stock}, held {Held})")]
    static partial void LogFound(ILogger logger, LogLevel level, long productId, long available, long expected, int stock, long held);
}

/// <summary>A product whose available stock is not its stock minus its holds.</summary>
/// <param name="Held">The units held by orders in the database and by orders that are about to commit.</param>
/// <param name="Available">The available stock in the gate.</param>
/// <param name="Holders">The orders that hold this product in the gate. If they change between two checks, the product has moved,
/// even if the numbers are equal.</param>
public sealed record InventoryDrift(int Epoch, long ProductId, int Stock, long Held, long Available, string Holders)
{
    /// <summary>The correct available stock.</summary>
    public long Expected => Stock - Held;

    /// <summary>
    /// Whether more could be sold than exists. This must not happen. Too little stock is the result of a crash or an outage of Redis.
    /// </summary>
    public bool TooMany => Available > Expected;
}

/// <summary>A customer whose units of a product are counted wrongly in the gate.</summary>
/// <param name="Expected">The units in orders that hold stock or are paid in the database, and in orders that are about to
/// commit.</param>
/// <param name="Counted">The units in the gate.</param>
/// <param name="Holders">The customer's orders that hold this product in the gate. If they change between two checks, the number has
/// moved.</param>
public sealed record CustomerDrift(int Epoch, long ProductId, string UserId, long Expected, long Counted, string Holders)
{
    /// <summary>
    /// Whether the customer could exceed the limit. This must not happen. Too many counted units are the result of a crash or an outage
    /// of Redis.
    /// </summary>
    public bool TooFew => Counted < Expected;
}
