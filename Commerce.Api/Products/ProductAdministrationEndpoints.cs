using System.ComponentModel.DataAnnotations;
using Commerce.Api.Administration;
using Commerce.Api.Idempotency;
using Commerce.Core;
using Commerce.Core.Administration;
using Commerce.Core.Catalog;
using Commerce.Core.Inventory;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Commerce.Api.Products;

/// <summary>Products and their stock for administrators.</summary>
static class ProductAdministrationEndpoints
{
    public static void MapProductAdministration(this RouteGroupBuilder administration)
    {
        var products = administration.MapGroup("/products");
        products.MapGet("/", ListAsync).WithName("ListProductDefinitions").WithSummary("Lists the newest products, on sale or not.");
        products.MapPost("/", CreateAsync).WithName("CreateProduct").WithSummary("Creates a product with its opening stock.").TakesIdempotencyKey();
        products.MapGet("/{id:long}", FindAsync).WithName("GetProductDefinition").WithSummary("Returns a product.")
            .Refuses(InventoryProblems.ProductNotFound);
        products.MapPut("/{id:long}", ChangeAsync).WithName("ReplaceProduct").WithSummary("Replaces the definition of a product.")
            .Refuses(InventoryProblems.ProductNotFound);
        products.MapPost("/{id:long}/stock", AdjustAsync).WithName("AdjustStock").WithSummary("Adds to the stock of a product, or removes unreserved stock.").TakesIdempotencyKey()
            .Refuses(InventoryProblems.ProductNotFound, InventoryProblems.StockHeld, InventoryProblems.StockFull, InventoryProblems.GateClosed);
        products.MapGet("/{id:long}/stock", ListChangesAsync).WithName("ListStockChanges").WithSummary("Lists the changes of a product's stock.")
            .Refuses(InventoryProblems.ProductNotFound);
    }

    static async Task<PageResult<Product>> ListAsync(
        ProductDefinitions products, CancellationToken cancellationToken, long? before = null, [Range(1, 200)] int limit = Paging.PageSize) =>
        (await products.ListAsync(before, limit, cancellationToken)).ToResult();

    static async Task<Results<Created<Product>, ProblemResult>> CreateAsync(
        ProductDefinition definition, ProductAdministration products, CancellationToken cancellationToken)
    {
        if (definition.Validate() is { Count: > 0 } errors) return CommonProblems.Validation.ToResult(errors: errors);
        var product = await products.CreateAsync(definition, cancellationToken);
        return TypedResults.Created($"/api/admin/products/{product.Id}", product);
    }

    static async Task<Results<Ok<Product>, ProblemResult>> FindAsync(long id, ProductDefinitions products, CancellationToken cancellationToken) =>
        await products.FindAsync(id, cancellationToken) is { } product ? TypedResults.Ok(product) : InventoryProblems.ProductNotFound.ToResult();

    static async Task<Results<Ok<Product>, ProblemResult>> ChangeAsync(
        long id, IfMatch ifMatch, ProductChange change, ProductAdministration products, CancellationToken cancellationToken)
    {
        if (change.Validate() is { Count: > 0 } errors) return CommonProblems.Validation.ToResult(errors: errors);
        return TypedResults.Ok(await products.ChangeAsync(id, change, ifMatch.Versions, cancellationToken));
    }

    static async Task<Results<Ok<Product>, ProblemResult>> AdjustAsync(
        long id, StockAdjustment adjustment, CurrentUser user, ProductAdministration products, CancellationToken cancellationToken)
    {
        var errors = new Dictionary<string, string[]>();
        if (adjustment.Delta is 0 or < -1_000_000 or > 1_000_000) errors["delta"] = ["Must be -1,000,000 to 1,000,000 and not 0."];
        DisplayText.Check(errors, "reason", adjustment.Reason, 100);
        if (errors.Count > 0) return CommonProblems.Validation.ToResult(errors: errors);
        return TypedResults.Ok(await products.AdjustAsync(id, adjustment.Delta, adjustment.Reason, user.Id, cancellationToken));
    }

    static async Task<Results<PageResult<StockChange>, ProblemResult>> ListChangesAsync(
        long id, InventoryRepository inventory, CancellationToken cancellationToken, long? before = null, [Range(1, 200)] int limit = 50)
    {
        var changes = await inventory.ListChangesAsync(id, before, limit + 1, cancellationToken);
        // Every product has at least one change, its opening stock. Without changes the product may not exist.
        if (changes.Count == 0 && await inventory.FindAsync(id, cancellationToken) is null) return InventoryProblems.ProductNotFound.ToResult();
        return Pages.Of<StockChange>(changes, limit, c => $"{c.Id}").ToResult();
    }
}

/// <summary>A change of a product's stock.</summary>
sealed record StockAdjustment(int Delta, string Reason) : IReasoned;
