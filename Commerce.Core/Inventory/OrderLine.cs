namespace Commerce.Core.Inventory;

/// <summary>A quantity of one product.</summary>
public sealed record OrderLine(long ProductId, int Quantity);
