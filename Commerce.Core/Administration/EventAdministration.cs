using Commerce.Core.Catalog;
using Commerce.Core.Events;
using Commerce.Core.Inventory;

namespace Commerce.Core.Administration;

/// <summary>Changes events. The database is changed first. Redis follows at once, or after its outage.</summary>
public sealed class EventAdministration(
    EventDefinitions definitions, EventRepository repository, EventOpener opener, InventoryRepository inventory, InventoryGateRebuilder rebuilder)
{
    /// <summary>Creates an event.</summary>
    /// <exception cref="ProblemException">A coupon or product does not exist, or belongs to another event.</exception>
    public async Task<SaleEvent> CreateAsync(EventDefinition definition, CancellationToken cancellationToken)
    {
        var counts = false;
        var id = await definitions.CreateAsync(
            definition, async (sale, created) => counts = await EventRepository.PlanAsync(sale, created, definition), cancellationToken);
        if (counts) await RebuildAsync(cancellationToken);
        return await SyncAsync(id, cancellationToken);
    }

    /// <summary>Replaces the definition. Without an opening time the event becomes a draft.</summary>
    /// <exception cref="ProblemException">The event does not exist, the version does not match, it is open or over, or its coupons or products cannot
    /// be linked.</exception>
    public async Task<SaleEvent> ChangeAsync(long id, EventDefinition definition, IReadOnlyCollection<int>? versions, CancellationToken cancellationToken)
    {
        var counts = false;
        var changed = await ChangeAsync(
            id, () => definitions.ChangeAsync(
                id, definition, versions, async sale => counts = await EventRepository.PlanAsync(sale, id, definition), cancellationToken),
            _ => EventProblems.NotFound, null, cancellationToken);
        if (counts) await RebuildAsync(cancellationToken);
        return changed;
    }

    /// <summary>Changes the times of an event.</summary>
    /// <exception cref="ProblemException">The event does not exist, is open or over, or would close before it opens.</exception>
    public Task<SaleEvent> ScheduleAsync(long id, EventTimes times, CancellationToken cancellationToken) =>
        ChangeAsync(
            id, () => definitions.ScheduleAsync(id, times, sale => EventRepository.PlanAsync(sale, id, links: null), cancellationToken),
            found => found.Status is EventStatus.Draft or EventStatus.Pending ? EventProblems.ClosesTooEarly : EventProblems.NotSchedulable, null, cancellationToken);

    /// <summary>Cancels an event, open or not.</summary>
    /// <exception cref="ProblemException">The event does not exist or is over.</exception>
    public Task<SaleEvent> CancelAsync(long id, CancellationToken cancellationToken) =>
        ChangeAsync(id, () => repository.CancelAsync(id, cancellationToken), _ => EventProblems.NotCancellable, EventStatus.Cancelled, cancellationToken);

    /// <summary>Opens an event now.</summary>
    /// <exception cref="ProblemException">The event does not exist, or is over or cancelled.</exception>
    public Task<SaleEvent> OpenAsync(long id, CancellationToken cancellationToken) =>
        ChangeAsync(id, async () => await opener.OpenAsync([id], OpenedBy.Forced, cancellationToken) == 1, _ => EventProblems.NotOpenable, EventStatus.Open, cancellationToken);

    /// <param name="id">The event.</param>
    /// <param name="change">Returns false if nothing was changed.</param>
    /// <param name="refusal">The problem for an unchanged event.</param>
    /// <param name="already">The status that means that the change was made before.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    async Task<SaleEvent> ChangeAsync(long id, Func<Task<bool>> change, Func<SaleEvent, ProblemType> refusal, string? already, CancellationToken cancellationToken)
    {
        if (await change()) return await SyncAsync(id, cancellationToken);
        var found = await definitions.FindAsync(id, cancellationToken) ?? throw new ProblemException(EventProblems.NotFound);
        return found.Status == already ? found : throw new ProblemException(refusal(found));
    }

    /// <summary>A product counts its customers from now on. Without Redis the Workers find the gate at an older epoch and rebuild it.</summary>
    Task RebuildAsync(CancellationToken cancellationToken) => TransientFaults.TryAsync(async () =>
        await rebuilder.TryOpenAsync(await inventory.FindEpochAsync(cancellationToken), cancellationToken));

    async Task<SaleEvent> SyncAsync(long id, CancellationToken cancellationToken)
    {
        await opener.SyncAsync([id], cancellationToken);
        return (await definitions.FindAsync(id, cancellationToken))!;
    }
}
