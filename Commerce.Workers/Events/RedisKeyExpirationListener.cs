using Commerce.Core.Background;
using Commerce.Core.Events;
using Commerce.Core.Redis;
using StackExchange.Redis;

namespace Commerce.Workers.Events;

/// <summary>
/// Opens and closes events when their timers expire in Redis. It only speeds things up: the poller finds what it misses.
/// </summary>
sealed class RedisKeyExpirationListener(
    IConnectionMultiplexer redis, RedisServers servers, EventOpener opener, TimeProvider clock, ILoggerFactory loggers)
    : PeriodicWorker(clock, loggers.CreateLogger<RedisKeyExpirationListener>())
{
    const int BatchSize = 200;

    /// <summary>The interval at which it starts to listen to servers that joined, came back or were promoted.</summary>
    static readonly TimeSpan RefreshInterval = TimeSpan.FromSeconds(1);
    static readonly TimeSpan MaxEarly = TimeSpan.FromMilliseconds(50);
    static readonly TimeSpan OneTick = TimeSpan.FromMilliseconds(1);

    readonly ExpiredKeyFeed _timers = new(redis, servers, EventSchedule.TimerPrefix, clock, loggers.CreateLogger<ExpiredKeyFeed>());

    protected override TimeSpan Interval => TimeSpan.Zero;

    protected override async Task RunOnceAsync(CancellationToken stoppingToken)
    {
        await _timers.RefreshAsync(stoppingToken);
        if (!await WaitForKeyAsync(stoppingToken)) return;
        var transitions = new HashSet<EventTransition>();
        while (transitions.Count < BatchSize && _timers.Keys.TryRead(out var timer))
            if (EventTransition.TryParse(timer, out var transition)) transitions.Add(transition);
        // A key may expire a millisecond before the transition is due by the database's clock.
        while (await opener.RunAsync([.. transitions], OpenedBy.Listener, stoppingToken) is { } early && early < MaxEarly)
            await Task.Delay(early + OneTick, Clock, stoppingToken);
    }

    /// <summary>Waits for an expired key. Returns true as soon as one expired, or false after the time limit.</summary>
    async Task<bool> WaitForKeyAsync(CancellationToken stoppingToken)
    {
        using var refresh = new CancellationTokenSource(RefreshInterval, Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(refresh.Token, stoppingToken);
        try
        {
            return await _timers.Keys.WaitToReadAsync(either.Token);
        }
        catch (OperationCanceledException) when (!stoppingToken.IsCancellationRequested)
        {
            return false;
        }
    }
}
