using Commerce.Core.Catalog;
using Commerce.ServiceDefaults;

namespace Commerce.Core.Inventory;

/// <summary>A product as the database has it.</summary>
/// <param name="Price">Whole KRW.</param>
/// <param name="Stock">Pieces that are not sold, held ones included.</param>
/// <param name="Version">Of all but the stock.</param>
public sealed record Product(long Id, string Name, long Price, int Stock, bool OnSale, int Version) : IVersioned
{
    /// <summary>The columns of a product under the names of this record.</summary>
    public const string Columns = "id AS Id, name AS Name, price AS Price, stock AS Stock, on_sale AS OnSale, version AS Version";
}

/// <summary>What an administrator says a new product is.</summary>
/// <param name="Name">1 to 200 characters.</param>
/// <param name="Price">Whole KRW, 1 to 1,000,000,000. Orders keep the price that they were made with.</param>
/// <param name="Stock">0 to 10,000,000. Later the stock is changed by its own request.</param>
/// <param name="OnSale">Whether it can be ordered; true where nothing is said.</param>
public sealed record ProductDefinition(string Name, long Price, int Stock = 0, bool OnSale = true)
{
    /// <summary>What is wrong with it, by field; empty where nothing is.</summary>
    public Dictionary<string, string[]> Validate()
    {
        var errors = new ProductChange(Name, Price, OnSale).Validate();
        if (Stock is < 0 or > 10_000_000) errors["stock"] = ["Must be 0 to 10,000,000."];
        return errors;
    }
}

/// <summary>What an administrator says a product is from now on. Its stock is changed by its own request.</summary>
/// <param name="Name">1 to 200 characters.</param>
/// <param name="Price">Whole KRW, 1 to 1,000,000,000. Orders keep the price that they were made with.</param>
/// <param name="OnSale">Whether it can be ordered.</param>
public sealed record ProductChange(string Name, long Price, bool OnSale)
{
    /// <summary>What is wrong with it, by field; empty where nothing is.</summary>
    public Dictionary<string, string[]> Validate()
    {
        var errors = new Dictionary<string, string[]>();
        DisplayText.Check(errors, "name", Name, 200);
        if (Price is < 1 or > 1_000_000_000) errors["price"] = ["Must be 1 to 1,000,000,000 won."];
        return errors;
    }
}
