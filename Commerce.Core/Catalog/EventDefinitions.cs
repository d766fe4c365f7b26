using System.Globalization;
using Commerce.Core.Database;
using Commerce.Core.Events;
using Microsoft.EntityFrameworkCore;

namespace Commerce.Core.Catalog;

/// <summary>
/// Stores the definitions of events: name, times, waiting room and limit. <see cref="EventRepository"/> stores status, openings,
/// coupons and products.
/// </summary>
public sealed class EventDefinitions(CatalogSession session)
{
    /// <summary>Finds an event. Returns null if it does not exist.</summary>
    public Task<SaleEvent?> FindAsync(long id, CancellationToken cancellationToken) => session.ReadAsync(async context =>
        (await Read(context, context.Events.Where(e => e.Id == id)).SingleOrDefaultAsync(cancellationToken))?.ToEvent());

    /// <summary>Lists current and future events, then past ones, each newest first.</summary>
    public Task<Page<SaleEvent>> ListAsync(bool drafts, Cursor? after, int limit, CancellationToken cancellationToken) =>
        session.ReadAsync(async context =>
        {
            var events = drafts ? context.Events : context.Events.Where(e => e.Status != EventStatus.Draft);
            events = after switch
            {
                null => events,
                { Rank: 0, Id: var id } => events.Where(e => (e.Status == EventStatus.Closed || e.Status == EventStatus.Cancelled) && e.Id < id),
                { Id: var id } => events.Where(e => e.Status == EventStatus.Closed || e.Status == EventStatus.Cancelled || e.Id < id),
            };
            var rows = await Read(context, events
                .OrderBy(e => e.Status == EventStatus.Closed || e.Status == EventStatus.Cancelled)
                .ThenByDescending(e => e.Id).Take(limit + 1)).ToListAsync(cancellationToken);
            return Pages.Of<SaleEvent>(
                [.. rows.Select(row => row.ToEvent())], limit,
                e => $"{new Cursor(e.Status is EventStatus.Closed or EventStatus.Cancelled ? 0 : 1, e.Id)}");
        });

    /// <summary>Creates an event as a draft. The caller schedules it in <paramref name="withinTransaction"/>.</summary>
    /// <param name="definition">The definition.</param>
    /// <param name="withinTransaction">Runs in the same transaction, with the id of the event.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public Task<long> CreateAsync(EventDefinition definition, Func<DbSession, long, Task> withinTransaction, CancellationToken cancellationToken) =>
        session.ExecuteInTransactionAsync(async (context, sale) =>
        {
            var row = new EventRow
            {
                Name = definition.Name, OpensAt = EventTimes.ToDatabase(definition.OpensAt), ClosesAt = EventTimes.ToDatabase(definition.ClosesAt),
                WaitingRoomRate = definition.WaitingRoomRate, MaxPerCustomer = definition.MaxPerCustomer,
            };
            context.Add(row);
            await context.SaveChangesAsync(cancellationToken);
            AdministrativeAction.NameCreated(row.Id);
            await withinTransaction(sale, row.Id);
            return row.Id;
        }, cancellationToken);

    /// <summary>Replaces name, times, waiting room and limit. Returns false if the event does not exist.</summary>
    /// <param name="withinTransaction">Runs in the same transaction. Throws if the event can no longer be changed.</param>
    /// <exception cref="ProblemException">The version is not an accepted one.</exception>
    public Task<bool> ChangeAsync(
        long id, EventDefinition definition, IReadOnlyCollection<int>? versions, Func<DbSession, Task> withinTransaction, CancellationToken cancellationToken) =>
        session.ExecuteInTransactionAsync(async (context, sale) =>
        {
            var (opensAt, closesAt) = (EventTimes.ToDatabase(definition.OpensAt), EventTimes.ToDatabase(definition.ClosesAt));
            var changed = await context.EventRows.At(id, versions).ExecuteUpdateAsync(row => row
                .SetProperty(e => e.Name, definition.Name)
                .SetProperty(e => e.OpensAt, opensAt)
                .SetProperty(e => e.ClosesAt, closesAt)
                .SetProperty(e => e.WaitingRoomRate, definition.WaitingRoomRate)
                .SetProperty(e => e.MaxPerCustomer, definition.MaxPerCustomer)
                .SetProperty(e => e.Version, e => e.Version + 1), cancellationToken) == 1;
            if (changed) await withinTransaction(sale);
            else if (await Read(context, context.Events.Where(e => e.Id == id)).SingleOrDefaultAsync(cancellationToken) is { } found) Versions.Check(found.ToEvent(), versions);
            return changed;
        }, cancellationToken);

    /// <summary>
    /// Sets the opening, and the closing if given. Returns false if the event does not exist or would close before it opens.
    /// </summary>
    /// <param name="withinTransaction">Runs in the same transaction. Throws if the event can no longer be changed.</param>
    public Task<bool> ScheduleAsync(long id, EventTimes times, Func<DbSession, Task> withinTransaction, CancellationToken cancellationToken) =>
        session.ExecuteInTransactionAsync(async (context, sale) =>
        {
            var (opensAt, closesAt) = (EventTimes.ToDatabase(times.OpensAt), EventTimes.ToDatabase(times.ClosesAt));
            var changed = await context.EventRows.Where(e => e.Id == id && ((closesAt ?? e.ClosesAt) == null || (closesAt ?? e.ClosesAt) > opensAt))
                .ExecuteUpdateAsync(row => row
                    .SetProperty(e => e.OpensAt, opensAt)
                    .SetProperty(e => e.ClosesAt, e => closesAt ?? e.ClosesAt)
                    .SetProperty(e => e.Version, e => e.Version + 1), cancellationToken) == 1;
            if (changed) await withinTransaction(sale);
            return changed;
        }, cancellationToken);

    // One statement: a list of events costs one query, and an event is never combined with the links of another version.
    static IQueryable<Found> Read(CatalogDbContext context, IQueryable<EventView> events) => events.Select(e => new Found(
        e,
        context.EventCoupons.Where(l => l.EventId == e.Id).Select(l => CatalogDbContext.JoinIds(l.CouponId)).FirstOrDefault(),
        context.EventProducts.Where(l => l.EventId == e.Id).Select(l => CatalogDbContext.JoinIds(l.ProductId)).FirstOrDefault()));

    sealed record Found(EventView Event, string? CouponIds, string? ProductIds)
    {
        public SaleEvent ToEvent() => new(
            Event.Id, Event.Name, Event.OpensAt, Event.ClosesAt, Event.Status, Ids(CouponIds), Ids(ProductIds), Event.WaitingRoomRate, Event.MaxPerCustomer,
            Event.OpenedAt, Event.ClosedAt, Event.Version);

        static long[] Ids(string? list) => list is null ? [] : [.. list.Split(',').Select(id => long.Parse(id, CultureInfo.InvariantCulture)).Order()];
    }
}
