using System.Threading.Channels;
using Commerce.Core.Background;
using Commerce.Core.Events;
using StackExchange.Redis;

namespace Commerce.Workers.Events;

/// <summary>Listens for expired timer keys in Redis and runs their transitions. It only accelerates: the poller runs whatever it misses.</summary>
sealed partial class RedisKeyExpirationListener(
    IConnectionMultiplexer redis, EventOpener opener, TimeProvider clock, ILogger<RedisKeyExpirationListener> logger)
    : PeriodicWorker(clock, logger)
{
    const string Setting = "notify-keyspace-events";
    const int MaxQueueLength = 10_000;
    const int BatchSize = 200;

    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(2);
    static readonly TimeSpan MaxEarly = TimeSpan.FromMilliseconds(50);
    static readonly TimeSpan OneTick = TimeSpan.FromMilliseconds(1);

    static readonly RedisChannel Expired = new("__keyevent@0__:expired", RedisChannel.PatternMode.Literal);

    // When the channel is full, the poller takes over.
    readonly Channel<EventTransition> _expired =
        Channel.CreateBounded<EventTransition>(new BoundedChannelOptions(MaxQueueLength) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    bool _subscribed;

    protected override TimeSpan Interval => TimeSpan.Zero;

    protected override async Task RunOnceAsync(CancellationToken stoppingToken)
    {
        if (!_subscribed) await SubscribeAsync(stoppingToken);
        if (!await _expired.Reader.WaitToReadAsync(stoppingToken)) return;
        var transitions = new List<EventTransition>(BatchSize);
        while (transitions.Count < BatchSize && _expired.Reader.TryRead(out var transition)) transitions.Add(transition);
        transitions = [.. transitions.Distinct()];
        // A key may expire a millisecond before the database's clock is there.
        while (await opener.RunAsync(transitions, OpenedBy.Listener, stoppingToken) is { } early && early < MaxEarly)
            await Task.Delay(early + OneTick, Clock, stoppingToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        redis.ConnectionRestored -= OnRestored;
        await base.StopAsync(cancellationToken);
    }

    /// <summary>The first subscription needs a connection. After a loss the client subscribes again by itself.</summary>
    async Task SubscribeAsync(CancellationToken stoppingToken)
    {
        await EnableNotificationsAsync();
        await redis.GetSubscriber().SubscribeAsync(Expired, (_, key) =>
        {
            if (((string?)key)?.StartsWith(EventSchedule.TimerPrefix, StringComparison.Ordinal) is true
                && EventTransition.TryParse(((string)key!)[EventSchedule.TimerPrefix.Length..], out var transition)) _expired.Writer.TryWrite(transition);
        }).WaitAsync(Deadline, Clock, stoppingToken);
        redis.ConnectionRestored += OnRestored;
        _subscribed = true;
    }

    void OnRestored(object? sender, ConnectionFailedEventArgs e) => _ = EnableNotificationsAsync();

    /// <summary>Enables key-expiry notifications on every server, in addition to its settings. A restarted server has forgotten them.</summary>
    async Task EnableNotificationsAsync()
    {
        foreach (var endPoint in redis.GetEndPoints())
        {
            try
            {
                var server = redis.GetServer(endPoint);
                var flags = (await server.ConfigGetAsync(Setting).WaitAsync(Deadline, Clock)).Select(s => s.Value).FirstOrDefault() ?? "";
                var wanted = new string([.. flags.Union("Ex")]);
                // "A" includes all event types.
                if (!flags.Contains('E', StringComparison.Ordinal) || flags.AsSpan().IndexOfAny('x', 'A') < 0) await server.ConfigSetAsync(Setting, wanted).WaitAsync(Deadline, Clock);
            }
            catch (Exception e)
            {
                // The server is away, or a managed server rejects the setting. The poller works without notifications.
                LogNotificationsUnavailable(Logger, $"{endPoint}", e.Message);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Key-expiry notifications of Redis at {EndPoint} may be off: {Reason}")]
    static partial void LogNotificationsUnavailable(ILogger logger, string endPoint, string reason);
}
