using System.Diagnostics.Metrics;
using Commerce.Core.Background;
using Commerce.Core.Coupons;
using Commerce.Core.Outbox;
using Commerce.ServiceDefaults;
using Microsoft.Extensions.Logging;

namespace Commerce.Core.Events;

/// <summary>
/// Opens and closes events whose time has come, whoever noticed it: the listener, the poll or the recovery. The lock in Redis keeps them from all
/// asking the ledger at once; that it happens once is the ledger's conditional update.
/// </summary>
public sealed partial class EventOpener(
    EventLedger ledger, EventSchedule schedule, CouponGate gate, OutboxWriter outbox, TimeProvider clock, ILogger<EventOpener> logger)
{
    static readonly Histogram<double> Late = CommerceTelemetry.Meter.CreateHistogram<double>("commerce.events.opening.delay", "s");

    const int MostTogether = 200;

    readonly SetAside<EventMoment> _aside = new("moment of event", clock, logger);

    /// <summary>
    /// Does what is due by the schedule, while Redis is away by the ledger, and returns how long it is until the next moment, at most
    /// <paramref name="longest"/>.
    /// </summary>
    public async Task<TimeSpan> RunDueAsync(TimeSpan longest, CancellationToken cancellationToken)
    {
        bool? whole;
        TimeSpan? next;
        IReadOnlyList<EventMoment> due;
        try
        {
            (whole, next, due) = await schedule.DueAsync(MostTogether);
        }
        catch (Exception e) when (DependencyFaults.Is(e))
        {
            LogAway(logger, e.Message);
            await RunDueByLedgerAsync(cancellationToken);
            return longest;
        }

        if (whole is null)
        {
            // Whose schedule this is nobody knows.
            await RunDueByLedgerAsync(cancellationToken);
            return longest;
        }

        if (whole is false)
        {
            LogRestoring(logger);
            await RestoreAsync(cancellationToken);
            return TimeSpan.Zero;
        }

        var wait = next < longest ? next.Value : longest;
        // By the ledger's clock some may not be due yet.
        return await RunAsync(due, OpenedBy.Poll, cancellationToken) is { } early && early < wait ? early : wait;
    }

    /// <summary>Does all that is due by the ledger, whatever Redis says, and puts the rest into the schedule.</summary>
    public async Task RecoverAsync(CancellationToken cancellationToken)
    {
        await RunDueByLedgerAsync(cancellationToken);
        await RestoreAsync(cancellationToken);
    }

    /// <summary>Opens and closes events, if it is time; returns how long it is until then for the first for which it is not.</summary>
    public async Task<TimeSpan?> RunAsync(IReadOnlyList<EventMoment> moments, string by, CancellationToken cancellationToken)
    {
        var due = moments.Where(m => !_aside.Contains(m)).ToList();
        try
        {
            return await RunTogetherAsync(due, by, cancellationToken);
        }
        catch (Exception e) when (!DependencyFaults.Is(e) && !cancellationToken.IsCancellationRequested)
        {
            // One of them cannot be done: the others are on time without it.
            await _aside.TryEachAsync(due, moment => RunTogetherAsync([moment], by, cancellationToken), cancellationToken);
            return null;
        }
    }

    async Task<TimeSpan?> RunTogetherAsync(IReadOnlyList<EventMoment> moments, string by, CancellationToken cancellationToken)
    {
        var locked = await LockAsync(moments);
        if (locked.Count == 0) return null;
        try
        {
            await OpenAsync([.. locked.Where(l => l.Moment.Opens).Select(l => l.Moment.EventId)], by, cancellationToken);
            foreach (var closed in await ledger.CloseAsync([.. locked.Where(l => !l.Moment.Opens).Select(l => l.Moment.EventId)], cancellationToken))
                LogClosed(logger, closed);
            var planned = await FollowAsync([.. locked.Select(l => l.Moment.EventId).Distinct()], cancellationToken);
            return planned.Where(p => locked.Exists(l => l.Moment == p.Moment)).Select(p => (TimeSpan?)(p.Wait > TimeSpan.Zero ? p.Wait : TimeSpan.Zero)).Min();
        }
        finally
        {
            await WithoutFaultsAsync(() => Task.WhenAll(locked.Where(l => l.Token is not null).Select(l => schedule.UnlockAsync(l.Moment, l.Token!))));
        }
    }

    /// <summary>Opens events that are due, or, with <see cref="OpenedBy.Forced"/>, now. Returns how many were opened.</summary>
    public async Task<int> OpenAsync(IReadOnlyList<long> eventIds, string by, CancellationToken cancellationToken)
    {
        var openings = await ledger.OpenAsync(eventIds, by, cancellationToken);
        if (openings.Count > 0) outbox.Wake();
        foreach (var (opened, late) in openings)
        {
            Late.Record(late.TotalSeconds, new KeyValuePair<string, object?>("path", by));
            LogOpened(logger, opened.EventId, opened.Seq, by, late.TotalMilliseconds);
        }

        return openings.Count;
    }

    /// <summary>
    /// Brings Redis to what the ledger says of events: their coupons' gates and their next moments, which are returned. What is missed is made good
    /// by the keeper of the gates and by the recovery.
    /// </summary>
    public async Task<IReadOnlyList<PlannedMoment>> FollowAsync(IReadOnlyList<long> eventIds, CancellationToken cancellationToken)
    {
        var coupons = await ledger.ListCouponsAsync(eventIds, cancellationToken);
        await WithoutFaultsAsync(() => Task.WhenAll(coupons.Select(gate.FollowAsync)));
        // In this order: what is planned after the look has a higher version.
        var versions = await ledger.ListVersionsAsync(eventIds, cancellationToken);
        var planned = await ledger.ListPlannedAsync(eventIds, cancellationToken);
        var next = planned.Select(p => p.Moment).ToHashSet();
        await WithoutFaultsAsync(() => Task.WhenAll(
            versions.SelectMany(v => new EventMoment[] { new(true, v.Id), new(false, v.Id) }.Except(next).Select(m => schedule.RemoveAsync(m, v.Version)))
                .Concat(planned.Select(schedule.PlanAsync))));
        return planned;
    }

    async Task RunDueByLedgerAsync(CancellationToken cancellationToken)
    {
        foreach (var some in (await ledger.ListDueAsync(cancellationToken)).Select(p => p.Moment).Chunk(MostTogether)) await RunAsync(some, OpenedBy.Recovery, cancellationToken);
    }

    /// <summary>Those of the moments that nobody else is at, with the tokens of their locks.</summary>
    async Task<List<(EventMoment Moment, string? Token)>> LockAsync(IReadOnlyList<EventMoment> moments)
    {
        try
        {
            var tokens = await Task.WhenAll(moments.Select(schedule.TryLockAsync));
            return [.. moments.Zip(tokens).Where(l => l.Second is not null)];
        }
        catch (Exception e) when (DependencyFaults.Is(e))
        {
            // Without locks: two at once are safe, and late is worse.
            return [.. moments.Select(m => (m, (string?)null))];
        }
    }

    async Task RestoreAsync(CancellationToken cancellationToken) => await schedule.RestoreAsync(await ledger.ListPlannedAsync(cancellationToken));

    async Task WithoutFaultsAsync(Func<Task> work)
    {
        try
        {
            await work();
        }
        catch (Exception e) when (DependencyFaults.Is(e))
        {
            LogAway(logger, e.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Event {EventId} is open: opening {Seq}, by {Path}, {Milliseconds:F0} ms late")]
    static partial void LogOpened(ILogger logger, long eventId, long seq, string path, double milliseconds);

    [LoggerMessage(Level = LogLevel.Information, Message = "Event {EventId} is closed")]
    static partial void LogClosed(ILogger logger, long eventId);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Redis does not have the schedule of the events; restoring it from the ledger")]
    static partial void LogRestoring(ILogger logger);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The times of events do not reach Redis: {Reason}")]
    static partial void LogAway(ILogger logger, string reason);
}
