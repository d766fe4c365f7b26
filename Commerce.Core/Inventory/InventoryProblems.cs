namespace Commerce.Core.Inventory;

/// <summary>Reasons for refusing a product or its stock.</summary>
public static class InventoryProblems
{
    public static readonly ProblemType ProductNotFound = new(404, "product-not-found", "This product does not exist.");
    public static readonly ProblemType OutOfStock = new(409, "out-of-stock", "Not enough stock is left.");
    public static readonly ProblemType AboveCustomerLimit = new(409, "customer-limit", "A customer cannot have more of this product.");
    public static readonly ProblemType StockHeld = new(409, "stock-held", "Not enough unreserved stock.");
    public static readonly ProblemType StockFull = new(409, "stock-too-large", "The stock of a product is limited to 1,000,000,000.");
    public static readonly ProblemType GateClosed = new(503, "gate-closed", "Orders cannot be placed right now. Try again.", TimeSpan.FromSeconds(1));
}
