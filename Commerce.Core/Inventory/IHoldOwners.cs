using Commerce.Core.Database;

namespace Commerce.Core.Inventory;

/// <summary>The owners of holds: the orders in the database, which decide whether a hold in the gate is still due.</summary>
public interface IHoldOwners
{
    /// <summary>What the database says about the holds of these orders. Unknown orders are missing.</summary>
    Task<IReadOnlyDictionary<string, HoldState>> FindStatesAsync(IReadOnlyList<string> orderIds, CancellationToken cancellationToken);

    /// <summary>Marks a paid order without stock as <c>REFUNDING</c>. False if it no longer waits for its stock.</summary>
    Task<bool> AcceptShortfallAsync(DbSession transaction, string orderId);
}

/// <summary>A hold as the database knows it.</summary>
public enum HoldState
{
    /// <summary>The order holds its stock.</summary>
    Holding,
    /// <summary>The stock was deducted, and possibly returned by a refund.</summary>
    Deducted,
    /// <summary>The order ended without stock.</summary>
    Ended,
}
