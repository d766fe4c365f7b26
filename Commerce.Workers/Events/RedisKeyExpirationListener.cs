using System.Threading.Channels;
using Commerce.Core.Background;
using Commerce.Core.Events;
using StackExchange.Redis;

namespace Commerce.Workers.Events;

/// <summary>
/// Hears of timers that expired in Redis and opens or closes their events. An accelerator only: what it does not hear, the poll does.
/// </summary>
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

    // Full: the poll takes over.
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

    /// <summary>The first time there has to be a connection; after each loss the client subscribes again by itself.</summary>
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

    /// <summary>Lets every server tell of expired keys, besides what it tells already: a restarted one has forgotten.</summary>
    async Task EnableNotificationsAsync()
    {
        foreach (var endPoint in redis.GetEndPoints())
        {
            try
            {
                var server = redis.GetServer(endPoint);
                var flags = (await server.ConfigGetAsync(Setting).WaitAsync(Deadline, Clock)).Select(s => s.Value).FirstOrDefault() ?? "";
                var wanted = new string([.. flags.Union("Ex")]);
                // "A" stands for all kinds of events, expired ones among them.
                if (!flags.Contains('E', StringComparison.Ordinal) || flags.AsSpan().IndexOfAny('x', 'A') < 0) await server.ConfigSetAsync(Setting, wanted).WaitAsync(Deadline, Clock);
            }
            catch (Exception e)
            {
                // Away, or a managed server that does not let itself be configured: the poll does it alone.
                LogNotificationsUnavailable(Logger, $"{endPoint}", e.Message);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Key-expiry notifications of Redis at {EndPoint} may be off: {Reason}")]
    static partial void LogNotificationsUnavailable(ILogger logger, string endPoint, string reason);
}
