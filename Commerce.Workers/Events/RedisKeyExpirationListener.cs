using System.Threading.Channels;
using Commerce.Core.Events;
using Commerce.ServiceDefaults;
using StackExchange.Redis;

namespace Commerce.Workers.Events;

/// <summary>
/// Hears of timers that expired in Redis and opens or closes their events. An accelerator only: what it does not hear, the poll does.
/// </summary>
sealed partial class RedisKeyExpirationListener(
    IConnectionMultiplexer redis, EventOpener opener, TimeProvider clock, ILogger<RedisKeyExpirationListener> logger) : BackgroundService
{
    const string Setting = "notify-keyspace-events";
    const int MostWaiting = 10_000;
    const int MostTogether = 200;

    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(2);
    static readonly RetryPolicy Again = new() { BaseDelay = TimeSpan.FromMilliseconds(200), MaxDelay = TimeSpan.FromSeconds(5) };
    static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(50);
    static readonly TimeSpan OneTick = TimeSpan.FromMilliseconds(1);

    static readonly RedisChannel Expired = new("__keyevent@0__:expired", RedisChannel.PatternMode.Literal);

    // Full: the poll takes over.
    readonly Channel<EventMoment> _heard =
        Channel.CreateBounded<EventMoment>(new BoundedChannelOptions(MostWaiting) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        redis.ConnectionRestored += OnRestored;
        try
        {
            for (var attempt = 1; !await TrySubscribeAsync(stoppingToken); attempt++) await Task.Delay(Again.Delay(attempt), clock, stoppingToken);
            var moments = new List<EventMoment>(MostTogether);
            while (await _heard.Reader.WaitToReadAsync(stoppingToken))
            {
                moments.Clear();
                while (moments.Count < MostTogether && _heard.Reader.TryRead(out var moment)) moments.Add(moment);
                await RunAsync([.. moments.Distinct()], stoppingToken);
            }
        }
        finally
        {
            redis.ConnectionRestored -= OnRestored;
        }
    }

    async Task RunAsync(IReadOnlyList<EventMoment> moments, CancellationToken stoppingToken)
    {
        try
        {
            // A key may expire a millisecond before the ledger's clock is there.
            while (await opener.RunAsync(moments, OpenedBy.Listener, stoppingToken) is { } early && early < Soon)
                await Task.Delay(early + OneTick, clock, stoppingToken);
        }
        catch (Exception e) when (DependencyFaults.Is(e))
        {
            LogMissed(logger, moments.Count, e.Message);
        }
    }

    /// <summary>The first time there has to be a connection; after each loss the client subscribes again by itself.</summary>
    async Task<bool> TrySubscribeAsync(CancellationToken stoppingToken)
    {
        await SwitchOnAsync();
        try
        {
            await redis.GetSubscriber().SubscribeAsync(Expired, (_, key) =>
            {
                if (((string?)key)?.StartsWith(EventSchedule.TimerPrefix, StringComparison.Ordinal) is true
                    && EventMoment.TryParse(((string)key!)[EventSchedule.TimerPrefix.Length..], out var moment)) _heard.Writer.TryWrite(moment);
            }).WaitAsync(Deadline, clock, stoppingToken);
            return true;
        }
        catch (Exception e) when (e is RedisException or TimeoutException)
        {
            LogUnsubscribed(logger, e.Message);
            return false;
        }
    }

    void OnRestored(object? sender, ConnectionFailedEventArgs e) => _ = SwitchOnAsync();

    /// <summary>Lets every server tell of expired keys, besides what it tells already: a restarted one has forgotten.</summary>
    async Task SwitchOnAsync()
    {
        foreach (var endPoint in redis.GetEndPoints())
        {
            try
            {
                var server = redis.GetServer(endPoint);
                var flags = (await server.ConfigGetAsync(Setting).WaitAsync(Deadline, clock)).Select(s => s.Value).FirstOrDefault() ?? "";
                var wanted = new string([.. flags.Union("Ex")]);
                // "A" stands for all kinds of events, expired ones among them.
                if (!flags.Contains('E', StringComparison.Ordinal) || flags.AsSpan().IndexOfAny('x', 'A') < 0) await server.ConfigSetAsync(Setting, wanted).WaitAsync(Deadline, clock);
            }
            catch (Exception e) when (e is RedisException or TimeoutException or ObjectDisposedException)
            {
                // Away, or a managed server that does not let itself be configured: the poll does it alone.
                LogDeaf(logger, $"{endPoint}", e.Message);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} moments of events were heard of but not done: {Reason}")]
    static partial void LogMissed(ILogger logger, int count, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Expired keys are not heard of yet: {Reason}")]
    static partial void LogUnsubscribed(ILogger logger, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Redis at {EndPoint} may not tell of expired keys: {Reason}")]
    static partial void LogDeaf(ILogger logger, string endPoint, string reason);
}
