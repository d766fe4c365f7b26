using Commerce.Core.Events;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Commerce.Api.Events;

/// <summary>
/// Sends announced openings to this replica's clients. Redis announces them. The database is read if a number is missing, and every
/// few seconds. So a client receives even the openings that Redis loses.
/// </summary>
sealed partial class EventBroadcast(
    EventFeed feed, EventClients clients, EventAnnouncements announcements, EventRepository repository, IConnectionMultiplexer redis,
    IOptions<EventStreamOptions> options, IHostApplicationLifetime lifetime, TimeProvider clock, ILogger<EventBroadcast> logger) : BackgroundService
{
    static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(250);
    static readonly TimeSpan DatabaseInterval = TimeSpan.FromSeconds(5);
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(2);

    const int BatchSize = 500;

    readonly SemaphoreSlim _wake = new(0);

    protected override Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Streams close as soon as the application stops, because the server waits for open requests before it stops this service.
        lifetime.ApplicationStopping.Register(clients.Close);
        return Task.WhenAll(TailAsync(stoppingToken), SendHeartbeatsAsync(stoppingToken));
    }

    async Task TailAsync(CancellationToken stoppingToken)
    {
        long? askedAt = null;
        var subscribed = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            // Each step can fail alone. An outage of MySQL does not delay the openings in Redis, and vice versa.
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

    /// <summary>
    /// Runs a step and logs any exception. Returns false if it failed. An unhandled exception would end the loop, and the replica would
    /// still look healthy.
    /// </summary>
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

    /// <summary>Reads the openings after the last one from the database, up to the number <paramref name="until"/>.</summary>
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
            // The clients reconnect with numbers that no longer exist, and start at the last opening of the database.
            clients.Disconnect();
        }
    }

    /// <summary>Whether the last announced opening is missing in the database, because the database was restored from a backup.</summary>
    async Task<bool> WasReplacedAsync(CancellationToken stoppingToken) =>
        feed.Find(feed.Last) is { } told && (await repository.ListOpenedAsync(told.Seq - 1, 1, stoppingToken) is not [var found] || (found.Seq, found.EventId) != (told.Seq, told.EventId));

    /// <summary>Starts at the last opening in the database.</summary>
    async Task BeginAsync(CancellationToken stoppingToken)
    {
        long announced = 0;
        await TryAsync(async () => announced = await announcements.LastAsync(), stoppingToken);
        // The database is read after the stream. It contains every announced opening, unless it was restored from a backup.
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

    /// <summary>
    /// Sends heartbeats. One timer serves all clients. Each second it serves a share of them, so that the heartbeats are spread.
    /// </summary>
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

    // Two concurrent callers may both pass the check. The loop then runs once more than necessary.
    void Wake()
    {
        if (_wake.CurrentCount == 0) _wake.Release();
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
