using System.Globalization;
using Commerce.Core.Catalog;
using Commerce.Core.Inventory;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Commerce.Api.Products;

/// <summary>The public list of products.</summary>
static class ProductEndpoints
{
    public static void MapProducts(this IEndpointRouteBuilder app)
    {
        var products = app.MapGroup("/api/products").WithTags("Products").AllowAnonymous();
        products.MapGet("/", ListAsync).WithName("ListProducts").WithSummary("Lists the products on sale.");
        products.MapGet("/{id:long}", FindAsync).WithName("GetProduct").WithSummary("Returns a product on sale.")
            .Refuses(InventoryProblems.ProductNotFound);
    }

    static Task<PageResult<ProductSummary>> ListAsync(
        CachedResponse<ProductSummary> pages, ProductDefinitions products, InventoryGate gate, CancellationToken cancellationToken, long? cursor = null) =>
        pages.GetAsync(cursor?.ToString(CultureInfo.InvariantCulture), async () =>
        {
            var (page, next) = await products.ListOnSaleAsync(cursor, Paging.PageSize, CancellationToken.None);
            return new(await SummarizeAsync(page, gate), next);
        }, cancellationToken);

    static async Task<Results<Ok<ProductSummary>, ProblemResult>> FindAsync(
        long id, InventoryRepository inventory, InventoryGate gate, CancellationToken cancellationToken) =>
        await inventory.FindAsync(id, cancellationToken) is { OnSale: true } product
            ? TypedResults.Ok((await SummarizeAsync([product], gate))[0])
            : InventoryProblems.ProductNotFound.ToResult();

    /// <summary>
    /// Reads the available stock from the gate. If Redis is unavailable, the total stock is shown, including reserved units.
    /// </summary>
    static async Task<IReadOnlyList<ProductSummary>> SummarizeAsync(IReadOnlyList<Product> products, InventoryGate gate)
    {
        var available = await TransientFaults.TryAsync(() => gate.ListAvailableAsync([.. products.Select(p => p.Id)]), [.. products.Select(_ => (long?)null)]);
        return [.. products.Zip(available, (p, left) => new ProductSummary(p.Id, p.Name, p.Price, Math.Max(0, left ?? p.Stock), p.MaxPerCustomer))];
    }
}

/// <summary>A product in the public list.</summary>
/// <param name="Price">Whole KRW.</param>
/// <param name="Available">The units that can be ordered.</param>
/// <param name="MaxPerCustomer">The units that one customer can have, over all orders that hold stock or are paid. Null: no
/// limit.</param>
sealed record ProductSummary(long Id, string Name, long Price, long Available, int? MaxPerCustomer);
