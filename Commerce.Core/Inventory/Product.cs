using Commerce.Core.Database;

namespace Commerce.Core.Inventory;

/// <summary>A product in the database.</summary>
/// <param name="Price">Whole KRW.</param>
/// <param name="Stock">Unsold units, including reserved ones.</param>
/// <param name="MaxPerCustomer">The units that one customer can have, over all orders that hold stock or are paid. Null: no
/// limit.</param>
/// <param name="Version">Incremented by every change, except changes of the stock.</param>
public sealed record Product(long Id, string Name, long Price, int Stock, bool OnSale, int? MaxPerCustomer, int Version) : IVersioned
{
    /// <summary>The columns, with the names of the record's members.</summary>
    public const string Columns = "id AS Id, name AS Name, price AS Price, stock AS Stock, on_sale AS OnSale, max_per_customer AS MaxPerCustomer, version AS Version";
}

/// <summary>The definition of a new product.</summary>
/// <param name="Name">1 to 200 characters.</param>
/// <param name="Price">Whole KRW, 1 to 1,000,000,000. Existing orders keep their price.</param>
/// <param name="Stock">0 to 10,000,000. A separate request changes the stock later.</param>
/// <param name="OnSale">Whether the product can be ordered. Default true.</param>
/// <param name="MaxPerCustomer">The units that one customer can have, over all orders that hold stock or are paid: 1 to 10,000. Null:
/// no limit.</param>
public sealed record ProductDefinition(string Name, long Price, int Stock = 0, bool OnSale = true, int? MaxPerCustomer = null)
{
    /// <summary>The errors by field; empty if the definition is valid.</summary>
    public Dictionary<string, string[]> Validate()
    {
        var errors = new ProductChange(Name, Price, OnSale, MaxPerCustomer).Validate();
        if (Stock is < 0 or > 10_000_000) errors["stock"] = ["Must be 0 to 10,000,000."];
        return errors;
    }
}

/// <summary>The new definition of a product. A separate request changes its stock.</summary>
/// <param name="Name">1 to 200 characters.</param>
/// <param name="Price">Whole KRW, 1 to 1,000,000,000. Existing orders keep their price.</param>
/// <param name="OnSale">Whether the product can be ordered.</param>
/// <param name="MaxPerCustomer">The units that one customer can have, over all orders that hold stock or are paid: 1 to 10,000. Null:
/// no limit. Customers who have more units keep them.</param>
public sealed record ProductChange(string Name, long Price, bool OnSale, int? MaxPerCustomer)
{
    /// <summary>The errors by field; empty if the definition is valid.</summary>
    public Dictionary<string, string[]> Validate()
    {
        var errors = new Dictionary<string, string[]>();
        DisplayText.Check(errors, "name", Name, 200);
        if (Price is < 1 or > 1_000_000_000) errors["price"] = ["Must be 1 to 1,000,000,000 won."];
        if (MaxPerCustomer is < 1 or > 10_000) errors["maxPerCustomer"] = ["Must be 1 to 10,000 units, or null for no limit."];
        return errors;
    }
}
