using System.Diagnostics.Metrics;
using Commerce.Core.Background;
using Commerce.Core.Coupons;
using Commerce.Core.Outbox;

namespace Commerce.Core.Events;

/// <summary>
/// Opens and closes due events for the poller, the listener and the recovery. A lock in Redis keeps them from querying the database
/// at the same time. A conditional update in the database ensures that each transition happens once.
/// </summary>
public sealed partial class EventOpener(
    EventRepository repository, EventSchedule schedule, CouponGate gate, OutboxWriter outbox, TimeProvider clock, ILogger<EventOpener> logger)
{
    static readonly Histogram<double> Late = CommerceTelemetry.Meter.CreateHistogram<double>("commerce.events.opening.delay", "s");

    const int BatchSize = 200;

    readonly Quarantine<EventTransition> _quarantine = new("transition of event", clock, logger);

    /// <summary>
    /// Runs all transitions that are due by the schedule, or by the database while Redis is unavailable. Returns the time until the next
    /// transition, at most <paramref name="maxWait"/>.
    /// </summary>
    public async Task<TimeSpan> RunDueAsync(TimeSpan maxWait, CancellationToken cancellationToken)
    {
        var (whole, next, due) = await TransientFaults.TryAsync(() => schedule.DueAsync(BatchSize), (null, null, []), e => LogAway(logger, e.Message));
        if (whole is null)
        {
            // Redis is unavailable, or its incarnation is unknown and the schedule may be incomplete.
            await RunDueFromDatabaseAsync(cancellationToken);
            return maxWait;
        }

        if (whole is false)
        {
            LogRestoring(logger);
            await RestoreAsync(cancellationToken);
            return TimeSpan.Zero;
        }

        var wait = next < maxWait ? next.Value : maxWait;
        // Some transitions may not be due yet by the database's clock.
        return await RunAsync(due, OpenedBy.Poll, cancellationToken) is { } early && early < wait ? early : wait;
    }

    /// <summary>Runs all transitions that are due by the database, and restores the schedule.</summary>
    public async Task RecoverAsync(CancellationToken cancellationToken)
    {
        await RunDueFromDatabaseAsync(cancellationToken);
        await RestoreAsync(cancellationToken);
    }

    /// <summary>Runs the transitions that are due. Returns the time until the first one that is not due yet.</summary>
    public async Task<TimeSpan?> RunAsync(IReadOnlyList<EventTransition> transitions, string by, CancellationToken cancellationToken)
    {
        var due = transitions.Where(m => !_quarantine.Contains(m)).ToList();
        try
        {
            return await RunBatchAsync(due, by, cancellationToken);
        }
        catch (Exception e) when (!TransientFaults.IsTransient(e) && !cancellationToken.IsCancellationRequested)
        {
            // One transition failed. Each runs alone now, so that it does not block the others.
            await _quarantine.TryEachAsync(due, transition => RunBatchAsync([transition], by, cancellationToken), cancellationToken);
            return null;
        }
    }

    async Task<TimeSpan?> RunBatchAsync(IReadOnlyList<EventTransition> transitions, string by, CancellationToken cancellationToken)
    {
        var locked = await LockAsync(transitions);
        if (locked.Count == 0) return null;
        try
        {
            await OpenAsync([.. locked.Where(l => l.Transition.Opens).Select(l => l.Transition.EventId)], by, cancellationToken);
            foreach (var closed in await repository.CloseAsync([.. locked.Where(l => !l.Transition.Opens).Select(l => l.Transition.EventId)], cancellationToken))
                LogClosed(logger, closed);
            var planned = await SyncAsync([.. locked.Select(l => l.Transition.EventId).Distinct()], cancellationToken);
            return planned.Where(p => locked.Exists(l => l.Transition == p.Transition)).Select(p => (TimeSpan?)(p.Wait > TimeSpan.Zero ? p.Wait : TimeSpan.Zero)).Min();
        }
        finally
        {
            await IgnoreTransientFaultsAsync(() => Task.WhenAll(locked.Where(l => l.Token is not null).Select(l => schedule.UnlockAsync(l.Transition, l.Token!))));
        }
    }

    /// <summary>
    /// Opens the due ones of these events, or all of them with <see cref="OpenedBy.Forced"/>. Returns how many were opened.
    /// </summary>
    public async Task<int> OpenAsync(IReadOnlyList<long> eventIds, string by, CancellationToken cancellationToken)
    {
        var openings = await repository.OpenAsync(eventIds, by, cancellationToken);
        if (openings.Count > 0) outbox.Wake();
        foreach (var (opened, late) in openings)
        {
            Late.Record(late.TotalSeconds, new KeyValuePair<string, object?>("path", by));
            LogOpened(logger, opened.EventId, opened.Seq, by, late.TotalMilliseconds);
        }

        return openings.Count;
    }

    /// <summary>
    /// Updates Redis from the database: the gates of the events' coupons, and the scheduled transitions, which are returned. The
    /// rebuilder and the recovery repair what fails here.
    /// </summary>
    public async Task<IReadOnlyList<ScheduledTransition>> SyncAsync(IReadOnlyList<long> eventIds, CancellationToken cancellationToken)
    {
        var coupons = await repository.ListCouponsAsync(eventIds, cancellationToken);
        await IgnoreTransientFaultsAsync(() => Task.WhenAll(coupons.Select(gate.SyncAsync)));
        // The versions are read first. A transition that is scheduled after this query has a higher version.
        var versions = await repository.ListVersionsAsync(eventIds, cancellationToken);
        var planned = await repository.ListPlannedAsync(eventIds, cancellationToken);
        var next = planned.Select(p => p.Transition).ToHashSet();
        await IgnoreTransientFaultsAsync(() => Task.WhenAll(
            versions.SelectMany(v => new EventTransition[] { new(true, v.Id), new(false, v.Id) }.Except(next).Select(m => schedule.RemoveAsync(m, v.Version)))
                .Concat(planned.Select(schedule.PlanAsync))));
        return planned;
    }

    async Task RunDueFromDatabaseAsync(CancellationToken cancellationToken)
    {
        foreach (var some in (await repository.ListDueAsync(cancellationToken)).Select(p => p.Transition).Chunk(BatchSize)) await RunAsync(some, OpenedBy.Recovery, cancellationToken);
    }

    /// <summary>Locks the transitions that no other process is running. Returns them with the tokens of their locks.</summary>
    async Task<List<(EventTransition Transition, string? Token)>> LockAsync(IReadOnlyList<EventTransition> transitions)
    {
        // Without Redis there are no locks. Running a transition twice is safe, and a delay would be worse.
        var tokens = await TransientFaults.TryAsync<string?[]?>(async () => await Task.WhenAll(transitions.Select(schedule.TryLockAsync)), null);
        return [.. transitions.Select((transition, i) => (transition, tokens?[i])).Where(l => tokens is null || l.Item2 is not null)];
    }

    async Task RestoreAsync(CancellationToken cancellationToken) => await schedule.RestoreAsync(await repository.ListPlannedAsync(cancellationToken));

    Task IgnoreTransientFaultsAsync(Func<Task> work) => TransientFaults.TryAsync(work, e => LogAway(logger, e.Message));

    [LoggerMessage(Level = LogLevel.Information, Message = "Event {EventId} is open: opening {Seq}, by {Path}, {Milliseconds:F0} ms late")]
    static partial void LogOpened(ILogger logger, long eventId, long seq, string path, double milliseconds);

    [LoggerMessage(Level = LogLevel.Information, Message = "Event {EventId} is closed")]
    static partial void LogClosed(ILogger logger, long eventId);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Redis lost the schedule of the events; restoring it from the database")]
    static partial void LogRestoring(ILogger logger);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The schedule of the events is not updated, Redis is unavailable: {Reason}")]
    static partial void LogAway(ILogger logger, string reason);
}
