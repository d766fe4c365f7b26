using Commerce.Core.Database;
using Commerce.ServiceDefaults;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Commerce.Api.Products;

/// <summary>What is on sale.</summary>
static class ProductEndpoints
{
    static readonly Problem NotFound = new(404, "product-not-found", "There is no such product.");

    const string Columns = "SELECT id AS Id, name AS Name, price AS Price, stock AS Available FROM product WHERE on_sale";

    public static void MapProducts(this IEndpointRouteBuilder app)
    {
        var products = app.MapGroup("/api/products").WithTags("Products").AllowAnonymous();
        products.MapGet("/", ListAsync);
        products.MapGet("/{id:long}", FindAsync);
    }

    static async Task<Ok<IReadOnlyList<ProductSummary>>> ListAsync(Ledger ledger, CancellationToken cancellationToken) =>
        TypedResults.Ok(await ledger.QueryAsync<ProductSummary>($"{Columns} ORDER BY id LIMIT 200", null, cancellationToken));

    static async Task<Results<Ok<ProductSummary>, ProblemResult>> FindAsync(long id, Ledger ledger, CancellationToken cancellationToken) =>
        await ledger.SingleAsync<ProductSummary>($"{Columns} AND id = @id", new { id }, cancellationToken) is { } product
            ? TypedResults.Ok(product)
            : NotFound.ToResult();
}

/// <summary>A product in the public list.</summary>
/// <param name="Price">Whole KRW.</param>
/// <param name="Available">Pieces that can be ordered.</param>
sealed record ProductSummary(long Id, string Name, long Price, int Available);
