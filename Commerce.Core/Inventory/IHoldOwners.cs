using Commerce.Core.Database;

namespace Commerce.Core.Inventory;

/// <summary>The orders in the database. They own the holds and decide whether a hold in the gate is still needed.</summary>
public interface IHoldOwners
{
    /// <summary>Finds the states of these orders' holds in the database. Unknown orders are omitted.</summary>
    Task<IReadOnlyDictionary<string, HoldState>> FindStatesAsync(IReadOnlyList<string> orderIds, CancellationToken cancellationToken);

    /// <summary>Marks a paid order without stock as <c>REFUNDING</c>. Returns false if it no longer waits for its stock.</summary>
    Task<bool> AcceptShortfallAsync(DbSession transaction, string orderId);
}

/// <summary>The state of a hold in the database.</summary>
public enum HoldState
{
    /// <summary>The order holds its stock.</summary>
    Holding,
    /// <summary>The stock was deducted, and possibly returned by a refund.</summary>
    Deducted,
    /// <summary>The order ended without stock.</summary>
    Ended,
}
