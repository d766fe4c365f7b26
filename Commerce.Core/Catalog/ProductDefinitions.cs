using Commerce.Core.Database;
using Commerce.Core.Inventory;
using Commerce.ServiceDefaults;
using Microsoft.EntityFrameworkCore;

namespace Commerce.Core.Catalog;

/// <summary>What products are: name, price, whether they are on sale. Their stock is the inventory's.</summary>
public sealed class ProductDefinitions(CatalogSession session)
{
    /// <summary>One product, on sale or not; null where there is none.</summary>
    public Task<Product?> FindAsync(long id, CancellationToken cancellationToken) =>
        session.ReadAsync(context => context.Products.SingleOrDefaultAsync(p => p.Id == id, cancellationToken));

    /// <summary>The products that are on sale, the newest first, at most 200.</summary>
    public Task<IReadOnlyList<Product>> ListOnSaleAsync(CancellationToken cancellationToken) =>
        ListAsync(products => products.Where(p => p.OnSale), cancellationToken);

    /// <summary>The newest products, on sale or not, at most 200, before the one with the id <paramref name="before"/>.</summary>
    public Task<IReadOnlyList<Product>> ListAsync(long? before, CancellationToken cancellationToken) =>
        ListAsync(products => before is null ? products : products.Where(p => p.Id < before), cancellationToken);

    /// <summary>Creates a product without stock.</summary>
    /// <param name="definition">What it is.</param>
    /// <param name="withinTransaction">What the sale commits with it; gets its id.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public Task<(long Id, T Result)> CreateAsync<T>(
        ProductDefinition definition, Func<DbSession, long, Task<T>> withinTransaction, CancellationToken cancellationToken) =>
        session.ExecuteInTransactionAsync(async (context, sale) =>
        {
            var row = new ProductRow { Name = definition.Name, Price = definition.Price, OnSale = definition.OnSale };
            context.Add(row);
            await context.SaveChangesAsync(cancellationToken);
            return (row.Id, await withinTransaction(sale, row.Id));
        }, cancellationToken);

    /// <summary>Replaces name, price and whether it is on sale; null where there is no such product.</summary>
    /// <exception cref="ProblemException">It has none of these versions.</exception>
    public Task<Product?> ChangeAsync(long id, ProductChange change, IReadOnlyCollection<int>? versions, CancellationToken cancellationToken) =>
        session.ExecuteInTransactionAsync(async (context, _) =>
        {
            var changed = await context.ProductRows.At(id, versions).ExecuteUpdateAsync(row => row
                .SetProperty(p => p.Name, change.Name)
                .SetProperty(p => p.Price, change.Price)
                .SetProperty(p => p.OnSale, change.OnSale)
                .SetProperty(p => p.Version, p => p.Version + 1), cancellationToken);
            var found = await context.Products.SingleOrDefaultAsync(p => p.Id == id, cancellationToken);
            if (changed == 0 && found is not null) Versions.Check(found, versions);
            return found;
        }, cancellationToken);

    Task<IReadOnlyList<Product>> ListAsync(Func<IQueryable<Product>, IQueryable<Product>> choose, CancellationToken cancellationToken) =>
        session.ReadAsync<IReadOnlyList<Product>>(async context =>
            await choose(context.Products).OrderByDescending(p => p.Id).Take(200).ToListAsync(cancellationToken));
}
