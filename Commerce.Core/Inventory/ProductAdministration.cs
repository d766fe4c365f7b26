using Commerce.Core.Catalog;
using Commerce.Core.Database;
using Commerce.Core.Orders;
using Commerce.ServiceDefaults;

namespace Commerce.Core.Inventory;

/// <summary>
/// Changes products and their stock, in the database and in the gate. A crash in between leaves the gate with too little, never with too much. The
/// reconciler finds it.
/// </summary>
public sealed class ProductAdministration(
    ProductDefinitions definitions, MySqlDatabase database, InventoryRepository inventory, InventoryGate gate, TimeProvider clock)
{
    /// <summary>The reduction exceeds the unreserved stock.</summary>
    public static readonly ProblemType StockHeld = new(409, "stock-held", "Not enough unreserved stock.");

    /// <summary>The stock would exceed its maximum.</summary>
    public static readonly ProblemType StockFull = new(409, "stock-too-large", "The stock of a product is limited to 1,000,000,000.");

    /// <summary>Less than half of the column's range, so that the stock of refunded orders always fits.</summary>
    const int MaxStock = 1_000_000_000;

    static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    /// <summary>Products on sale, newest first, at most 200.</summary>
    public Task<IReadOnlyList<Product>> ListOnSaleAsync(CancellationToken cancellationToken) => definitions.ListOnSaleAsync(cancellationToken);

    /// <summary>The newest products with an id below <paramref name="before"/>, on sale or not, at most 200.</summary>
    public Task<IReadOnlyList<Product>> ListAsync(long? before, CancellationToken cancellationToken) => definitions.ListAsync(before, cancellationToken);

    /// <summary>One product, on sale or not; null if it does not exist.</summary>
    public Task<Product?> FindAsync(long id, CancellationToken cancellationToken) => definitions.FindAsync(id, cancellationToken);

    /// <summary>Changes of a product's stock, newest first.</summary>
    public Task<IReadOnlyList<StockChange>> ListChangesAsync(long productId, long? before, int limit, CancellationToken cancellationToken) =>
        database.QueryAsync<StockChange>("""
            SELECT id AS Id, event_id AS EventId, delta AS Delta, reason AS Reason, created_at AS CreatedAt FROM product_stock_audit
            WHERE product_id = @productId AND (@before IS NULL OR id < @before) ORDER BY id DESC LIMIT @limit
            """, new { productId, before, limit }, cancellationToken);

    /// <summary>Creates a product.</summary>
    public async Task<Product> CreateAsync(ProductDefinition definition, CancellationToken cancellationToken)
    {
        var (id, epoch) = await definitions.CreateAsync(
            definition, (sale, created) => InventoryRepository.OpenStockAsync(sale, created, definition.Stock), cancellationToken);
        try
        {
            await gate.LoadAsync(epoch, id, definition.Stock);
        }
        catch (Exception e) when (TransientFaults.IsTransient(e))
        {
            // The first order loads it.
        }

        return new(id, definition.Name, definition.Price, definition.Stock, definition.OnSale, Version: 1);
    }

    /// <summary>Replaces name, price and availability.</summary>
    /// <exception cref="ProblemException">The product does not exist, or the version does not match.</exception>
    public async Task<Product> ChangeAsync(long id, ProductChange change, IReadOnlyCollection<int>? versions, CancellationToken cancellationToken) =>
        await definitions.ChangeAsync(id, change, versions, cancellationToken) ?? throw new ProblemException(OrderProblems.ProductNotFound);

    /// <summary>Adds to the stock, or removes unreserved stock.</summary>
    /// <param name="delta">Not 0.</param>
    /// <param name="reason">Kept in the stock audit, with <paramref name="by"/>.</param>
    /// <exception cref="ProblemException">The product does not exist, the unreserved stock is too small, the stock would be too large, or the gate is
    /// closed.</exception>
    public async Task<Product> AdjustAsync(long id, int delta, string reason, string by, CancellationToken cancellationToken)
    {
        if (await inventory.FindAsync(id, cancellationToken) is null) throw new ProblemException(OrderProblems.ProductNotFound);
        // Loaded before the change. Loading it afterwards would include the change, which would then be applied again.
        if ((await gate.ListAvailableAsync([id]))[0] is null) await inventory.LoadAsync(gate, id, cancellationToken);
        var epoch = 0;
        if (delta < 0)
        {
            // The gate gives the units up first, so that no order can take them.
            epoch = await inventory.FindEpochAsync(cancellationToken);
            var taken = await gate.AdjustAsync(epoch, id, delta);
            if (taken == 0) throw new ProblemException(StockHeld);
            if (taken != 1) throw new ProblemException(OrderProblems.GateClosed, retryAfter: RetryAfter);
        }

        var committed = await database.TryExecuteInTransactionAsync(async transaction =>
        {
            var now = await InventoryRepository.LockEpochAsync(transaction);
            if (delta < 0 && now != epoch) return false;
            epoch = now;
            if (await transaction.ExecuteAsync("""
                    UPDATE product SET stock = stock + @delta WHERE id = @id AND stock + @delta >= 0 AND (@delta < 0 OR stock + @delta <= @MaxStock)
                    """, new { delta, id, MaxStock }) == 0)
                return delta < 0 ? false : throw new ProblemException(StockFull);
            await transaction.ExecuteAsync(
                "INSERT INTO product_stock_audit (product_id, event_id, delta, reason) VALUES (@id, @eventId, @delta, @text)",
                new { id, eventId = $"adjusted:{Guid.CreateVersion7(clock.GetUtcNow())}", delta, text = $"{reason} ({by})" });
            return true;
        }, cancellationToken);
        try
        {
            // Added units become available only now. Units that were not removed become available again.
            if (committed == (delta > 0)) await gate.AdjustAsync(epoch, id, Math.Abs(delta));
        }
        catch (Exception e) when (TransientFaults.IsTransient(e))
        {
            // The gate has too little until the reconciler finds it.
        }

        if (!committed) throw new ProblemException(OrderProblems.GateClosed, retryAfter: RetryAfter);
        return (await inventory.FindAsync(id, cancellationToken))!;
    }
}

/// <summary>A change of a product's stock.</summary>
/// <param name="EventId">The cause: <c>opening</c>, <c>placed:ORDER</c>, <c>refunded:ORDER</c>, <c>adjusted:UUID</c>.</param>
public sealed record StockChange(long Id, string EventId, int Delta, string Reason, DateTime CreatedAt);
