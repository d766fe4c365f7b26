using Commerce.Core.Events;
using Commerce.ServiceDefaults;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Commerce.Api.Events;

/// <summary>
/// Follows the announced openings and hands them to this replica's clients. Redis says that there is something and what; where a number is missing,
/// and every few seconds whatever Redis says, the database is asked, so nothing that Redis loses is lost to a client.
/// </summary>
sealed partial class EventBroadcast(
    EventFeed feed, EventClients clients, EventAnnouncements announcements, EventRepository repository, IConnectionMultiplexer redis,
    IOptions<EventStreamOptions> options, IHostApplicationLifetime lifetime, TimeProvider clock, ILogger<EventBroadcast> logger) : BackgroundService
{
    static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(250);
    static readonly TimeSpan DatabaseInterval = TimeSpan.FromSeconds(5);
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(2);

    const int BatchSize = 500;

    readonly SemaphoreSlim _wake = new(0, 1);

    protected override Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // At the first sign of the end, long before this service is asked to stop: the server waits for its requests.
        lifetime.ApplicationStopping.Register(clients.Close);
        return Task.WhenAll(TailAsync(stoppingToken), SendHeartbeatsAsync(stoppingToken));
    }

    async Task TailAsync(CancellationToken stoppingToken)
    {
        long? askedAt = null;
        var subscribed = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            // Each on its own: a database that is away keeps nobody from what Redis has, nor the other way round.
            if (feed.Last < 0 || askedAt is not { } at || clock.GetElapsedTime(at) >= DatabaseInterval)
            {
                askedAt = clock.GetTimestamp();
                await TryAsync(() => ReadDatabaseAsync(long.MaxValue, stoppingToken), stoppingToken);
            }

            if (!subscribed)
                subscribed = await TryAsync(
                    () => redis.GetSubscriber().SubscribeAsync(EventAnnouncements.Channel, (_, _) => Wake()).WaitAsync(Deadline, clock, stoppingToken), stoppingToken);
            if (feed.Last >= 0) await TryAsync(() => ReadAnnouncedAsync(stoppingToken), stoppingToken);
            await _wake.WaitAsync(PollInterval, stoppingToken);
        }
    }

    /// <summary>Whatever it is, the next time may fare better; a replica that hears of nothing any more would look healthy.</summary>
    async Task<bool> TryAsync(Func<Task> work, CancellationToken stoppingToken)
    {
        try
        {
            await work();
            return true;
        }
        catch (Exception e) when (TransientFaults.IsTransient(e))
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
        for (var count = BatchSize; count == BatchSize;)
        {
            var announced = await announcements.ReadAsync(feed.Last, BatchSize);
            foreach (var opened in announced)
            {
                if (opened.Seq > feed.Last + 1) await ReadDatabaseAsync(opened.Seq - 1, stoppingToken);
                if (opened.Seq == feed.Last + 1) feed.Add(EventFrame.Of(opened));
            }

            count = announced.Count;
            if (count > 0) clients.Flush();
        }
    }

    /// <summary>Adds what the database has after the last opening, up to the one with the number <paramref name="until"/>.</summary>
    async Task ReadDatabaseAsync(long until, CancellationToken stoppingToken)
    {
        if (feed.Last < 0)
        {
            await BeginAsync(stoppingToken);
            return;
        }

        for (var count = BatchSize; count == BatchSize && feed.Last < until;)
        {
            var opened = await repository.ListOpenedAsync(feed.Last, BatchSize, stoppingToken);
            foreach (var one in opened.TakeWhile(o => o.Seq <= until)) feed.Add(EventFrame.Of(one));
            count = opened.Count;
            if (count > 0) clients.Flush();
        }

        if (until == long.MaxValue && await WasReplacedAsync(stoppingToken))
        {
            LogReplaced(logger, feed.Last);
            await BeginAsync(stoppingToken);
            // They come back with numbers that were never given, and are started where the database ends.
            clients.Disconnect();
        }
    }

    /// <summary>Whether the database does not have the opening that was told last: it was restored from a copy.</summary>
    async Task<bool> WasReplacedAsync(CancellationToken stoppingToken) =>
        feed.Find(feed.Last) is { } told && (await repository.ListOpenedAsync(told.Seq - 1, 1, stoppingToken) is not [var found] || (found.Seq, found.EventId) != (told.Seq, told.EventId));

    /// <summary>Begins where the database ends.</summary>
    async Task BeginAsync(CancellationToken stoppingToken)
    {
        long announced = 0;
        await TryAsync(async () => announced = await announcements.LastAsync(), stoppingToken);
        // After it: what is announced is in the database, unless that was restored from a copy.
        var last = await repository.LastOpeningAsync(stoppingToken);
        if (announced > last) await TryAsync(announcements.ForgetAsync, stoppingToken);
        var before = new List<EventFrame>();
        for (var after = Math.Max(0, last - feed.Capacity); after < last;)
        {
            var opened = await repository.ListOpenedAsync(after, BatchSize, stoppingToken);
            before.AddRange(opened.TakeWhile(o => o.Seq <= last).Select(EventFrame.Of));
            if (opened.Count == 0) break;
            after = opened[^1].Seq;
        }

        feed.Begin(last, before);
    }

    /// <summary>One timer for all clients. Each second has its share of them, so that they are never all written to at once for nothing.</summary>
    async Task SendHeartbeatsAsync(CancellationToken stoppingToken)
    {
        var shares = (int)options.Value.Heartbeat.TotalSeconds;
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1), clock);
        for (var tick = 0; await timer.WaitForNextTickAsync(stoppingToken); tick++)
        {
            var share = tick % shares;
            await TryAsync(() => { clients.SendHeartbeats(share, shares); return Task.CompletedTask; }, stoppingToken);
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

    [LoggerMessage(Level = LogLevel.Error, Message = "Opening {Seq} was announced but is not in the database: it was restored from a backup. Restarting the streams")]
    static partial void LogReplaced(ILogger logger, long seq);

    [LoggerMessage(Level = LogLevel.Error, Message = "Following the openings failed; retrying")]
    static partial void LogFailed(ILogger logger, Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Following the openings paused, dependency unavailable: {Reason}")]
    static partial void LogWaiting(ILogger logger, string reason);
}
