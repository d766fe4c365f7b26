using Commerce.Core.Database;
using Commerce.Core.Inventory;
using Microsoft.EntityFrameworkCore;

namespace Commerce.Core.Catalog;

/// <summary>
/// Stores the definitions of products: name, price, limit and whether they are on sale. <see cref="InventoryRepository"/> stores the
/// stock.
/// </summary>
public sealed class ProductDefinitions(CatalogSession session)
{
    /// <summary>Finds a product, on sale or not. Returns null if it does not exist.</summary>
    public Task<Product?> FindAsync(long id, CancellationToken cancellationToken) =>
        session.ReadAsync(context => context.Products.SingleOrDefaultAsync(p => p.Id == id, cancellationToken));

    /// <summary>Lists the newest products on sale with an id below <paramref name="before"/>.</summary>
    public Task<Page<Product>> ListOnSaleAsync(long? before, int limit, CancellationToken cancellationToken) =>
        ListAsync(before, limit, products => products.Where(p => p.OnSale), cancellationToken);

    /// <summary>Lists the newest products with an id below <paramref name="before"/>, on sale or not.</summary>
    public Task<Page<Product>> ListAsync(long? before, int limit, CancellationToken cancellationToken) =>
        ListAsync(before, limit, products => products, cancellationToken);

    /// <summary>Creates a product without stock.</summary>
    /// <param name="definition">The definition.</param>
    /// <param name="withinTransaction">Runs in the same transaction, with the id of the product.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public Task<(long Id, T Result)> CreateAsync<T>(
        ProductDefinition definition, Func<DbSession, long, Task<T>> withinTransaction, CancellationToken cancellationToken) =>
        session.ExecuteInTransactionAsync(async (context, sale) =>
        {
            var row = new ProductRow { Name = definition.Name, Price = definition.Price, OnSale = definition.OnSale, MaxPerCustomer = definition.MaxPerCustomer };
            context.Add(row);
            await context.SaveChangesAsync(cancellationToken);
            AdministrativeAction.NameCreated(row.Id);
            return (row.Id, await withinTransaction(sale, row.Id));
        }, cancellationToken);

    /// <summary>Replaces name, price, availability and limit. Returns null if the product does not exist.</summary>
    /// <param name="withinTransaction">Runs in the same transaction.</param>
    /// <exception cref="ProblemException">The version is not an accepted one.</exception>
    public Task<Product?> ChangeAsync(
        long id, ProductChange change, IReadOnlyCollection<int>? versions, Func<DbSession, Task> withinTransaction, CancellationToken cancellationToken) =>
        session.ExecuteInTransactionAsync(async (context, sale) =>
        {
            var changed = await context.ProductRows.At(id, versions).ExecuteUpdateAsync(row => row
                .SetProperty(p => p.Name, change.Name)
                .SetProperty(p => p.Price, change.Price)
                .SetProperty(p => p.OnSale, change.OnSale)
                .SetProperty(p => p.MaxPerCustomer, change.MaxPerCustomer)
                .SetProperty(p => p.Version, p => p.Version + 1), cancellationToken);
            var found = await context.Products.SingleOrDefaultAsync(p => p.Id == id, cancellationToken);
            if (changed == 1) await withinTransaction(sale);
            else if (found is not null) Versions.Check(found, versions);
            return found;
        }, cancellationToken);

    Task<Page<Product>> ListAsync(long? before, int limit, Func<IQueryable<Product>, IQueryable<Product>> choose, CancellationToken cancellationToken) =>
        session.ReadAsync(async context => Pages.Of<Product>(
            await choose(before is null ? context.Products : context.Products.Where(p => p.Id < before)).OrderByDescending(p => p.Id).Take(limit + 1)
                .ToListAsync(cancellationToken),
            limit, p => $"{p.Id}"));
}
