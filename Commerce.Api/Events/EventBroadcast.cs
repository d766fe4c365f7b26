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

    const int MostTogether = 500;

    readonly SemaphoreSlim _wake = new(0, 1);

    protected override Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // At the first sign of the end, long before this service is asked to stop: the server waits for its requests.
        lifetime.ApplicationStopping.Register(clients.SendAway);
        return Task.WhenAll(FollowAsync(stoppingToken), BeatAsync(stoppingToken));
    }

    async Task FollowAsync(CancellationToken stoppingToken)
    {
        long? askedAt = null;
        var subscribed = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                if (askedAt is not { } at || clock.GetElapsedTime(at) >= LedgerEvery)
                {
                    await AskLedgerAsync(long.MaxValue, stoppingToken);
                    askedAt = clock.GetTimestamp();
                }

                if (!subscribed)
                {
                    await redis.GetSubscriber().SubscribeAsync(EventAnnouncements.Channel, (_, _) => Wake());
                    subscribed = true;
                }

                await ReadAnnouncedAsync(stoppingToken);
            }
            catch (Exception e) when (DependencyFaults.Is(e))
            {
                LogWaiting(logger, e.Message);
            }

            await _wake.WaitAsync(Every, stoppingToken);
        }
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
        if (feed.Last < 0) feed.Begin(Math.Max(0, await ledger.LastOpeningAsync(stoppingToken) - feed.Capacity));
        for (var count = MostTogether; count == MostTogether && feed.Last < until;)
        {
            var opened = await ledger.ListOpenedAsync(feed.Last, MostTogether, stoppingToken);
            foreach (var one in opened.TakeWhile(o => o.Seq <= until)) feed.Add(EventFrame.Of(one));
            count = opened.Count;
            if (count > 0) clients.Pump();
        }
    }

    /// <summary>One timer for all clients. Each second has its share of them, so that they are never all written to at once for nothing.</summary>
    async Task BeatAsync(CancellationToken stoppingToken)
    {
        var shares = (int)options.Value.Heartbeat.TotalSeconds;
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), clock);
        for (var tick = 0; await timer.WaitForNextTickAsync(stoppingToken); tick++) clients.Beat(tick % shares, shares);
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

    [LoggerMessage(Level = LogLevel.Warning, Message = "Following the openings waits: {Reason}")]
    static partial void LogWaiting(ILogger logger, string reason);
}
