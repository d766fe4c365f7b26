using Commerce.Core.Orders;

namespace Commerce.Core.Inventory;

/// <summary>What the gate is to hold, as the database had it at the moment when the epoch was raised.</summary>
/// <param name="Available">What can be ordered of each product: its stock without what is held.</param>
/// <param name="Holds">What is held for which order.</param>
public sealed record InventoryContent(int Epoch, IReadOnlyList<AvailablePieces> Available, IReadOnlyList<Hold> Holds);

/// <summary>So many pieces of a product can be ordered. Below 0 where more is held than there is.</summary>
public sealed record AvailablePieces(long ProductId, long Pieces);

/// <summary>What is held for an order.</summary>
/// <param name="Deadline">When the reaper looks at it.</param>
public sealed record Hold(string OrderId, DateTimeOffset Deadline, IReadOnlyList<OrderLine> Lines);
