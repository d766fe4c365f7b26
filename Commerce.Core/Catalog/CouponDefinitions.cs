using Commerce.Core.Coupons;
using Commerce.Core.Database;
using Commerce.Core.Events;
using Commerce.Core.Inventory;
using Microsoft.EntityFrameworkCore;

namespace Commerce.Core.Catalog;

/// <summary>
/// Stores the definitions of coupons: name, discount, total quantity, window and terms. <see cref="CouponRepository"/> stores status
/// and issues.
/// </summary>
public sealed class CouponDefinitions(CatalogSession session, TimeProvider clock)
{
    /// <summary>Finds a coupon. Returns null if it does not exist.</summary>
    public Task<Coupon?> FindAsync(long id, CancellationToken cancellationToken) => session.ReadAsync(context => FindAsync(context, id, cancellationToken));

    /// <summary>Lists the newest coupons with an id below <paramref name="before"/>.</summary>
    public Task<Page<Coupon>> ListAsync(long? before, int limit, CancellationToken cancellationToken) =>
        session.ReadAsync(async context => Pages.Of<Coupon>(
            await (before is null ? context.Coupons : context.Coupons.Where(c => c.Id < before)).OrderByDescending(c => c.Id).Take(limit + 1).ToListAsync(cancellationToken),
            limit, c => $"{c.Id}"));

    /// <summary>Lists current and future coupons, then past ones, each newest first.</summary>
    public Task<Page<Coupon>> ListPublicAsync(Cursor? after, int limit, CancellationToken cancellationToken) =>
        session.ReadAsync(async context =>
        {
            var now = clock.GetUtcNow().UtcDateTime;
            var coupons = context.Coupons.Where(c => c.Status == "ACTIVE" || c.Status == "WAITING");
            coupons = after switch
            {
                null => coupons,
                { Rank: 0, Id: var id } => coupons.Where(c => !(c.EndsAt > now) && c.Id < id),
                { Id: var id } => coupons.Where(c => !(c.EndsAt > now) || c.Id < id),
            };
            return Pages.Of<Coupon>(
                await coupons.OrderByDescending(c => c.EndsAt > now).ThenByDescending(c => c.Id).Take(limit + 1).ToListAsync(cancellationToken),
                limit, c => $"{new Cursor(c.EndsAt > now ? 1 : 0, c.Id)}");
        });

    /// <summary>Creates a coupon. The first request opens its gate.</summary>
    /// <exception cref="ProblemException">The terms name an unknown product or event.</exception>
    public Task<Coupon> CreateAsync(CouponDefinition definition, CancellationToken cancellationToken) =>
        session.ExecuteInTransactionAsync(async (context, _) =>
        {
            await CheckAsync(context, definition, cancellationToken);
            var row = new CouponRow
            {
                Name = definition.Name, Discount = definition.Discount, TotalQuantity = definition.TotalQuantity,
                StartsAt = definition.StartsAt.UtcDateTime, EndsAt = definition.EndsAt.UtcDateTime, Percent = definition.Percent,
                MinOrderAmount = definition.MinOrderAmount, ValidFrom = definition.ValidFrom?.UtcDateTime, ValidUntil = definition.ValidUntil?.UtcDateTime,
                ProductIds = ToColumn(definition.ProductIds), EventIds = ToColumn(definition.EventIds),
            };
            context.Add(row);
            await context.SaveChangesAsync(cancellationToken);
            AdministrativeAction.NameCreated(row.Id);
            return (await FindAsync(context, row.Id, cancellationToken))!;
        }, cancellationToken);

    /// <summary>Replaces name, discount, quantity, window and terms.</summary>
    /// <returns>The coupon after the call (null if it does not exist), and whether it was changed. A change that would decrease the total
    /// quantity is not made.</returns>
    /// <exception cref="ProblemException">The version is not an accepted one, or the terms name an unknown product or event.</exception>
    public Task<(Coupon? Coupon, bool Changed)> ChangeAsync(
        long id, CouponDefinition definition, IReadOnlyCollection<int>? versions, CancellationToken cancellationToken) =>
        session.ExecuteInTransactionAsync(async (context, _) =>
        {
            await CheckAsync(context, definition, cancellationToken);
            var (productIds, eventIds) = (ToColumn(definition.ProductIds), ToColumn(definition.EventIds));
            var (validFrom, validUntil) = (definition.ValidFrom?.UtcDateTime, definition.ValidUntil?.UtcDateTime);
            var changed = await context.CouponRows.At(id, versions).Where(c => c.TotalQuantity <= definition.TotalQuantity).ExecuteUpdateAsync(row => row
                .SetProperty(c => c.Name, definition.Name)
                .SetProperty(c => c.Discount, definition.Discount)
                .SetProperty(c => c.TotalQuantity, definition.TotalQuantity)
                .SetProperty(c => c.StartsAt, definition.StartsAt.UtcDateTime)
                .SetProperty(c => c.EndsAt, definition.EndsAt.UtcDateTime)
                .SetProperty(c => c.Percent, definition.Percent)
                .SetProperty(c => c.MinOrderAmount, definition.MinOrderAmount)
                .SetProperty(c => c.ValidFrom, validFrom)
                .SetProperty(c => c.ValidUntil, validUntil)
                .SetProperty(c => c.ProductIds, productIds)
                .SetProperty(c => c.EventIds, eventIds)
                .SetProperty(c => c.Version, c => c.Version + 1), cancellationToken) == 1;
            var found = await FindAsync(context, id, cancellationToken);
            if (!changed && found is not null) Versions.Check(found, versions);
            return (found, changed);
        }, cancellationToken);

    /// <summary>Adds to the total quantity, up to <see cref="CouponDefinition.MaxQuantity"/>.</summary>
    /// <returns>The coupon after the call (null if it does not exist), and whether it was changed.</returns>
    public Task<(Coupon? Coupon, bool Changed)> AddQuantityAsync(long id, int delta, CancellationToken cancellationToken) =>
        session.ExecuteInTransactionAsync(async (context, _) =>
        {
            var changed = await context.CouponRows.Where(c => c.Id == id && c.TotalQuantity <= CouponDefinition.MaxQuantity - delta).ExecuteUpdateAsync(row => row
                .SetProperty(c => c.TotalQuantity, c => c.TotalQuantity + delta)
                .SetProperty(c => c.Version, c => c.Version + 1), cancellationToken) == 1;
            return (await FindAsync(context, id, cancellationToken), changed);
        }, cancellationToken);

    static async Task CheckAsync(CatalogDbContext context, CouponDefinition definition, CancellationToken cancellationToken)
    {
        if (await FindMissingAsync(context.Products.Select(p => p.Id), definition.ProductIds, cancellationToken) is { } product)
            throw new ProblemException(InventoryProblems.ProductNotFound, $"Product {product} does not exist.");
        if (await FindMissingAsync(context.Events.Select(e => e.Id), definition.EventIds, cancellationToken) is { } sale)
            throw new ProblemException(EventProblems.NotFound, $"Event {sale} does not exist.");
    }

    static async Task<long?> FindMissingAsync(IQueryable<long> existing, IReadOnlyList<long>? wanted, CancellationToken cancellationToken)
    {
        if (wanted is null) return null;
        var found = await existing.Where(id => wanted.Contains(id)).ToListAsync(cancellationToken);
        return wanted.Except(found).Select(id => (long?)id).FirstOrDefault();
    }

    static string? ToColumn(IReadOnlyList<long>? ids) => ids is null ? null : IdSet.ToJson(ids);

    static Task<Coupon?> FindAsync(CatalogDbContext context, long id, CancellationToken cancellationToken) =>
        context.Coupons.SingleOrDefaultAsync(c => c.Id == id, cancellationToken);
}
