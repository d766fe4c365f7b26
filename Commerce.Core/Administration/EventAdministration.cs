using Commerce.Core.Catalog;
using Commerce.Core.Events;
using Commerce.Core.Inventory;

namespace Commerce.Core.Administration;

/// <summary>Changes events, first in the database, then in Redis. After an outage Redis follows later.</summary>
public sealed class EventAdministration(
    EventDefinitions definitions, EventRepository repository, EventOpener opener, InventoryRepository inventory, InventoryGateRebuilder rebuilder)
{
    /// <summary>Creates an event.</summary>
    /// <exception cref="ProblemException">A coupon or product does not exist, or a coupon belongs to another event.</exception>
    public async Task<SaleEvent> CreateAsync(EventDefinition definition, CancellationToken cancellationToken)
    {
        var counts = false;
        var id = await definitions.CreateAsync(
            definition, async (sale, created) => counts = await EventRepository.PlanAsync(sale, created, definition), cancellationToken);
        if (counts) await RebuildAsync(cancellationToken);
        return await SyncAsync(id, cancellationToken);
    }

    /// <summary>Replaces the definition. An event without an opening time becomes a draft.</summary>
    /// <exception cref="ProblemException">The event does not exist, is open or over, or its version is not an accepted one; or a coupon
    /// or product cannot be linked.</exception>
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
    /// <param name="change">Makes the change. Returns false if nothing was changed.</param>
    /// <param name="refusal">Creates the problem for an event that was not changed.</param>
    /// <param name="already">The status of an event to which the same change was made before.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    async Task<SaleEvent> ChangeAsync(long id, Func<Task<bool>> change, Func<SaleEvent, ProblemType> refusal, string? already, CancellationToken cancellationToken)
    {
        if (await change()) return await SyncAsync(id, cancellationToken);
        var found = await definitions.FindAsync(id, cancellationToken) ?? throw new ProblemException(EventProblems.NotFound);
        return found.Status == already ? found : throw new ProblemException(refusal(found));
    }

    /// <summary>
    /// Rebuilds the gate after a product began to count its customers. If Redis is unavailable, the Workers notice the old epoch and
    /// rebuild the gate later.
    /// </summary>
    Task RebuildAsync(CancellationToken cancellationToken) => TransientFaults.TryAsync(async () =>
        await rebuilder.TryOpenAsync(await inventory.FindEpochAsync(cancellationToken), cancellationToken));

    async Task<SaleEvent> SyncAsync(long id, CancellationToken cancellationToken)
    {
        await opener.SyncAsync([id], cancellationToken);
        return (await definitions.FindAsync(id, cancellationToken))!;
    }
}
