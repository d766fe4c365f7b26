using Commerce.Core.Events;
using Commerce.ServiceDefaults;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Commerce.Api.Events;

/// <summary>
/// Follows the announced openings and hands them to this replica's clients. Redis says that there is something and what; where a number is missing,
/// and every few seconds whatever Redis says, the ledger is asked, so nothing that Redis loses is lost to a client.
/// </summary>
sealed partial class EventBroadcast(
    EventFeed feed, EventClients clients, EventAnnouncements announcements, EventLedger ledger, IConnectionMultiplexer redis,
    IOptions<EventStreamOptions> options, IHostApplicationLifetime lifetime, TimeProvider clock, ILogger<EventBroadcast> logger) : BackgroundService
{
    static readonly TimeSpan Every = TimeSpan.FromMilliseconds(250);
    static readonly TimeSpan LedgerEvery = TimeSpan.FromSeconds(5);
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(2);

    const int MostTogether = 500;

    readonly SemaphoreSlim _wake = new(0, 1);

    protected override Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // At the first sign of the end, long before this service is asked to stop: the server waits for its requests.
        lifetime.ApplicationStopping.Register(clients.Close);
        return Task.WhenAll(FollowAsync(stoppingToken), BeatAsync(stoppingToken));
    }

    async Task FollowAsync(CancellationToken stoppingToken)
    {
        long? askedAt = null;
        var subscribed = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            // Each on its own: a ledger that is away keeps nobody from what Redis has, nor the other way round.
            if (feed.Last < 0 || askedAt is not { } at || clock.GetElapsedTime(at) >= LedgerEvery)
            {
                askedAt = clock.GetTimestamp();
                await SurviveAsync(() => AskLedgerAsync(long.MaxValue, stoppingToken), stoppingToken);
            }

            if (!subscribed)
                subscribed = await SurviveAsync(
                    () => redis.GetSubscriber().SubscribeAsync(EventAnnouncements.Channel, (_, _) => Wake()).WaitAsync(Deadline, clock, stoppingToken), stoppingToken);
            if (feed.Last >= 0) await SurviveAsync(() => ReadAnnouncedAsync(stoppingToken), stoppingToken);
            await _wake.WaitAsync(Every, stoppingToken);
        }
    }

    /// <summary>Whatever it is, the next time may fare better; a replica that hears of nothing any more would look healthy.</summary>
    async Task<bool> SurviveAsync(Func<Task> work, CancellationToken stoppingToken)
    {
        try
        {
            await work();
            return true;
        }
        catch (Exception e) when (DependencyFaults.Is(e))
        {
            LogWaiting(logger, e.Message);
        }
        catch (Exception e) when (!stoppingToken.IsCancellationRequested)
        {
            LogFailed(logger, e);
        }

        return false;
    }

    async Task ReadAnnouncedAsync(CancellationToken stoppingToken)
    {
        for (var count = MostTogether; count == MostTogether;)
        {
            var announced = await announcements.ReadAsync(feed.Last, MostTogether);
            foreach (var opened in announced)
            {
                if (opened.Seq > feed.Last + 1) await AskLedgerAsync(opened.Seq - 1, stoppingToken);
                if (opened.Seq == feed.Last + 1) feed.Add(EventFrame.Of(opened));
            }

            count = announced.Count;
            if (count > 0) clients.Pump();
        }
    }

    /// <summary>Adds what the ledger has after the last opening, up to the one with the number <paramref name="until"/>.</summary>
    async Task AskLedgerAsync(long until, CancellationToken stoppingToken)
    {
        if (feed.Last < 0)
        {
            await BeginAsync(stoppingToken);
            return;
        }

        for (var count = MostTogether; count == MostTogether && feed.Last < until;)
        {
            var opened = await ledger.ListOpenedAsync(feed.Last, MostTogether, stoppingToken);
            foreach (var one in opened.TakeWhile(o => o.Seq <= until)) feed.Add(EventFrame.Of(one));
            count = opened.Count;
            if (count > 0) clients.Pump();
        }

        if (until == long.MaxValue && await WasReplacedAsync(stoppingToken))
        {
            LogReplaced(logger, feed.Last);
            await BeginAsync(stoppingToken);
            // They come back with numbers that were never given, and are started where the ledger ends.
            clients.SendAway();
        }
    }

    /// <summary>Whether the ledger does not have the opening that was told last: it was restored from a copy.</summary>
    async Task<bool> WasReplacedAsync(CancellationToken stoppingToken) =>
        feed.Find(feed.Last) is { } told && (await ledger.ListOpenedAsync(told.Seq - 1, 1, stoppingToken) is not [var found] || (found.Seq, found.EventId) != (told.Seq, told.EventId));

    /// <summary>Begins where the ledger ends.</summary>
    async Task BeginAsync(CancellationToken stoppingToken)
    {
        long announced = 0;
        await SurviveAsync(async () => announced = await announcements.LastAsync(), stoppingToken);
        // After it: what is announced is in the ledger, unless that was restored from a copy.
        var last = await ledger.LastOpeningAsync(stoppingToken);
        if (announced > last) await SurviveAsync(announcements.ForgetAsync, stoppingToken);
        var before = new List<EventFrame>();
        for (var after = Math.Max(0, last - feed.Capacity); after < last;)
        {
            var opened = await ledger.ListOpenedAsync(after, MostTogether, stoppingToken);
            before.AddRange(opened.TakeWhile(o => o.Seq <= last).Select(EventFrame.Of));
            if (opened.Count == 0) break;
            after = opened[^1].Seq;
        }

        feed.Begin(last, before);
    }

    /// <summary>One timer for all clients. Each second has its share of them, so that they are never all written to at once for nothing.</summary>
    async Task BeatAsync(CancellationToken stoppingToken)
    {
        var shares = (int)options.Value.Heartbeat.TotalSeconds;
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), clock);
        for (var tick = 0; await timer.WaitForNextTickAsync(stoppingToken); tick++)
        {
            var share = tick % shares;
            await SurviveAsync(() => { clients.Beat(share, shares); return Task.CompletedTask; }, stoppingToken);
        }
    }

    void Wake()
    {
        // Two who wake at once may both come through; the second finds it full.
        try
        {
            if (_wake.CurrentCount == 0) _wake.Release();
        }
        catch (SemaphoreFullException)
        {
        }
    }

    public override void Dispose()
    {
        base.Dispose();
        _wake.Dispose();
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The ledger does not have opening {Seq} any more, which was told: it was restored from a copy. Beginning anew")]
    static partial void LogReplaced(ILogger logger, long seq);

    [LoggerMessage(Level = LogLevel.Error, Message = "Following the openings failed; it goes on")]
    static partial void LogFailed(ILogger logger, Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Following the openings waits: {Reason}")]
    static partial void LogWaiting(ILogger logger, string reason);
}
