using Commerce.Core.Catalog;
using Commerce.Core.Idempotency;
using Commerce.Core.Inventory;

namespace Commerce.Core.Administration;

/// <summary>
/// Changes products and their stock, in the database and in the gate. A crash in between leaves the gate with too little stock, never
/// with too much. The reconciler repairs the difference.
/// </summary>
public sealed class ProductAdministration(
    ProductDefinitions definitions, InventoryRepository inventory, InventoryGate gate, InventoryGateRebuilder rebuilder, TimeProvider clock)
{
    /// <summary>The maximum stock of a product. It is less than half of the column's range, so that returned stock always fits.</summary>
    const int MaxStock = 1_000_000_000;

    /// <summary>Creates a product.</summary>
    public async Task<Product> CreateAsync(ProductDefinition definition, CancellationToken cancellationToken)
    {
        var (id, epoch) = await definitions.CreateAsync(
            definition, (sale, created) => InventoryRepository.OpenStockAsync(sale, created, definition.Stock), cancellationToken);
        // If Redis is unavailable, the first order loads the product.
        await TransientFaults.TryAsync(() => gate.LoadAsync(epoch, id, definition.Stock, counted: definition.MaxPerCustomer is not null));
        return new(id, definition.Name, definition.Price, definition.Stock, definition.OnSale, definition.MaxPerCustomer, Version: 1);
    }

    /// <summary>
    /// Replaces name, price, availability and limit. The first limit makes the product count its customers, under a new epoch of the
    /// gate.
    /// </summary>
    /// <exception cref="ProblemException">The product does not exist, or its version is not an accepted one.</exception>
    public async Task<Product> ChangeAsync(long id, ProductChange change, IReadOnlyCollection<int>? versions, CancellationToken cancellationToken)
    {
        var isFirstLimit = false;
        var changed = await definitions.ChangeAsync(
            id, change, versions,
            async sale => isFirstLimit = change.MaxPerCustomer is not null && await InventoryRepository.CountCustomersAsync(sale, id), cancellationToken)
            ?? throw new ProblemException(InventoryProblems.ProductNotFound);
        // If Redis is unavailable, the Workers notice the old epoch and rebuild the gate later.
        if (isFirstLimit)
            await TransientFaults.TryAsync(async () => await rebuilder.TryOpenAsync(await inventory.FindEpochAsync(cancellationToken), cancellationToken));
        return changed;
    }

    /// <summary>Adds to the stock, or removes unreserved stock.</summary>
    /// <param name="delta">The number of units to add, or to remove if it is negative. Not 0.</param>
    /// <param name="reason">Stored in the stock audit, with <paramref name="by"/>.</param>
    /// <exception cref="ProblemException">The product does not exist, the unreserved stock is too small, the stock would be too large, or
    /// the gate is closed.</exception>
    public async Task<Product> AdjustAsync(long id, int delta, string reason, string by, CancellationToken cancellationToken)
    {
        if (await inventory.FindAsync(id, cancellationToken) is null) throw new ProblemException(InventoryProblems.ProductNotFound);
        // The gate loads the product before the change. A later load would include the change, which would then be applied twice.
        if ((await gate.ListAvailableAsync([id]))[0] is null) await inventory.LoadAsync(gate, id, cancellationToken);
        int? givenUpIn = null;
        if (delta < 0)
        {
            // The gate gives up the units before the database does, so that no order can reserve them.
            var epoch = await inventory.FindEpochAsync(cancellationToken);
            var taken = await gate.AdjustAsync(epoch, id, delta);
            if (taken == 0) throw new ProblemException(InventoryProblems.StockHeld);
            if (taken != 1) throw new ProblemException(InventoryProblems.GateClosed);
            givenUpIn = epoch;
        }

        int? committedIn;
        try
        {
            committedIn = await inventory.AdjustAsync(
                id, delta, MaxStock, givenUpIn, $"adjusted:{Guid.CreateVersion7(clock.GetUtcNow())}", $"{reason} ({by})", cancellationToken);
        }
        catch (IdempotencyKeyTakenException) when (givenUpIn is not null)
        {
            // The same request was faster and has removed the units.
            await TransientFaults.TryAsync(() => gate.AdjustAsync(givenUpIn.Value, id, -delta));
            throw;
        }

        // Added units become available after the commit. So do units that were not removed after all. If Redis is unavailable, the gate
        // has too little stock until the reconciler repairs it.
        if ((delta > 0 ? committedIn : committedIn is null ? givenUpIn : null) is { } changedIn)
            await TransientFaults.TryAsync(() => gate.AdjustAsync(changedIn, id, Math.Abs(delta)));
        if (committedIn is null) throw new ProblemException(delta > 0 ? InventoryProblems.StockFull : InventoryProblems.GateClosed);
        return (await inventory.FindAsync(id, cancellationToken))!;
    }
}
