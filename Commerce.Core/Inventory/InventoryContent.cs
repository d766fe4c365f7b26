namespace Commerce.Core.Inventory;

/// <summary>The content of a new gate, read from the database when the epoch was incremented.</summary>
/// <param name="Available">The available stock per product: the stock minus all holds.</param>
/// <param name="Holds">The holds per order.</param>
/// <param name="Counted">The products that count their customers.</param>
/// <param name="Customers">The units per customer of these products.</param>
public sealed record InventoryContent(
    int Epoch, IReadOnlyList<AvailablePieces> Available, IReadOnlyList<Hold> Holds, IReadOnlyList<long> Counted, IReadOnlyList<CustomerPieces> Customers);

/// <summary>The available stock of a product. It is negative if more is held than exists.</summary>
public sealed record AvailablePieces(long ProductId, long Pieces);

/// <summary>The units of a product in a customer's orders that hold stock or are paid.</summary>
public sealed record CustomerPieces(long ProductId, string UserId, long Pieces);

/// <summary>The hold of an order.</summary>
/// <param name="Deadline">The time when the reaper checks the hold.</param>
public sealed record Hold(string OrderId, string UserId, DateTimeOffset Deadline, IReadOnlyList<OrderLine> Lines);
