using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
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
    EventLedger ledger, EventSchedule schedule, CouponGate gate, OutboxWriter outbox, ILogger<EventOpener> logger)
{
    static readonly Histogram<double> Late = CommerceTelemetry.Meter.CreateHistogram<double>("commerce.events.opening.delay", "s");

    const int AtOnce = 8;
    const int MostTogether = 1000;

    /// <summary>
    /// Does what is due by the schedule, while Redis is away by the ledger, and returns how long it is until the next moment, at most
    /// <paramref name="longest"/>.
    /// </summary>
    public async Task<TimeSpan> RunDueAsync(TimeSpan longest, CancellationToken cancellationToken)
    {
        bool whole;
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

        if (!whole)
        {
            LogRestoring(logger);
            await RestoreAsync(cancellationToken);
            return TimeSpan.Zero;
        }

        // By the ledger's clock some may not be due yet.
        var early = new ConcurrentBag<TimeSpan> { next ?? longest, longest };
        await Parallel.ForEachAsync(due, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken },
            async (moment, token) =>
            {
                if (await RunAsync(moment, OpenedBy.Poll, token) is { } wait) early.Add(wait);
            });
        return early.Min() is { Ticks: > 0 } shortest ? shortest : TimeSpan.Zero;
    }

    /// <summary>Does all that is due by the ledger, whatever Redis says, and puts the rest into the schedule.</summary>
    public async Task RecoverAsync(CancellationToken cancellationToken)
    {
        await RunDueByLedgerAsync(cancellationToken);
        await RestoreAsync(cancellationToken);
    }

    /// <summary>Opens or closes an event, if it is time; returns how long it is until then where it is not.</summary>
    public async Task<TimeSpan?> RunAsync(EventMoment moment, string by, CancellationToken cancellationToken)
    {
        string? token;
        try
        {
            token = await schedule.TryLockAsync(moment);
            if (token is null) return null;
        }
        catch (Exception e) when (DependencyFaults.Is(e))
        {
            // Without the lock: two at once are safe, and late is worse.
            token = null;
        }

        try
        {
            if (moment.Opens) await OpenAsync(moment.EventId, by, cancellationToken);
            else if (await ledger.CloseAsync(moment.EventId, cancellationToken)) LogClosed(logger, moment.EventId);
            return await FollowAsync(moment.EventId, cancellationToken) is { } planned && planned.Moment == moment ? planned.Wait : null;
        }
        finally
        {
            if (token is not null) await WithoutFaultsAsync(() => schedule.UnlockAsync(moment, token));
        }
    }

    /// <summary>Opens an event that is due, or, with <see cref="OpenedBy.Forced"/>, now. False where it cannot be opened (any more).</summary>
    public async Task<bool> OpenAsync(long eventId, string by, CancellationToken cancellationToken)
    {
        if (await ledger.OpenAsync(eventId, by, cancellationToken) is not var (opened, late)) return false;
        outbox.Wake();
        Late.Record(late.TotalSeconds, new KeyValuePair<string, object?>("path", by));
        LogOpened(logger, eventId, opened.Seq, by, late.TotalMilliseconds);
        return true;
    }

    /// <summary>
    /// Brings Redis to what the ledger says of an event: its coupons' gates and its next moment, which is returned. What is missed is made good by
    /// the keeper of the gates and by the recovery.
    /// </summary>
    public async Task<PlannedMoment?> FollowAsync(long eventId, CancellationToken cancellationToken)
    {
        var coupons = await ledger.ListCouponsAsync(eventId, cancellationToken);
        await WithoutFaultsAsync(() => Task.WhenAll(coupons.Select(gate.FollowAsync)));
        // In this order: what is planned after the look has a higher version.
        var version = await ledger.FindVersionAsync(eventId, cancellationToken);
        var planned = await ledger.FindPlannedAsync(eventId, cancellationToken);
        await WithoutFaultsAsync(async () =>
        {
            foreach (var moment in new EventMoment[] { new(true, eventId), new(false, eventId) })
                if (planned?.Moment != moment) await schedule.RemoveAsync(moment, version);
            if (planned is not null) await schedule.PlanAsync(planned);
        });
        return planned;
    }

    async Task RunDueByLedgerAsync(CancellationToken cancellationToken)
    {
        foreach (var planned in await ledger.ListPlannedAsync(cancellationToken))
            if (planned.Wait <= TimeSpan.Zero) await RunAsync(planned.Moment, OpenedBy.Recovery, cancellationToken);
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
