using System.Net;
using System.Threading.Channels;
using StackExchange.Redis;

namespace Commerce.Core.Redis;

/// <summary>
/// Hears of keys that expired, at each primary that there is at the moment: servers join, go and change roles. Nothing may rest on it alone: Redis tells late
/// where many keys have a time to live, and nothing at all of what happens while a connection is lost.
/// </summary>
/// <param name="prefix">Of the keys that are wanted.</param>
public sealed partial class ExpiredKeyFeed(IConnectionMultiplexer redis, RedisServers servers, string prefix, TimeProvider clock, ILogger<ExpiredKeyFeed> logger)
{
    const string Setting = "notify-keyspace-events";
    const int MaxWaiting = 10_000;

    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(2);

    /// <summary>In a cluster each primary tells of its own keys only; the client subscribes at all of them, also at those that come later.</summary>
    static readonly RedisChannel Expired = RedisChannel.KeyEvent(KeyNotificationType.Expired, 0);

    readonly Channel<string> _keys =
        Channel.CreateBounded<string>(new BoundedChannelOptions(MaxWaiting) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    /// <summary>The servers that were told to tell, each with its run.</summary>
    readonly Dictionary<EndPoint, string> _reportedAt = [];

    bool _subscribed;

    /// <summary>What expired, without the prefix.</summary>
    public ChannelReader<string> Keys => _keys.Reader;

    /// <summary>Sees to it that every server that there is now is listened to. To be called again and again, by one caller at a time.</summary>
    /// <exception cref="RedisException">Redis is out of reach.</exception>
    public async Task TendAsync(CancellationToken cancellationToken)
    {
        foreach (var server in redis.GetServers().Where(s => s.IsConnected)) await EnableNotificationsAsync(server, cancellationToken);
        if (_subscribed) return;
        await redis.GetSubscriber().SubscribeAsync(Expired, (_, key) =>
        {
            if (((string?)key)?.StartsWith(prefix, StringComparison.Ordinal) is true) _keys.Writer.TryWrite(((string)key!)[prefix.Length..]);
        }).WaitAsync(Deadline, clock, cancellationToken);
        _subscribed = true;
    }

    /// <summary>
    /// Lets a server tell of expired keys, besides what it tells already: a restarted one has forgotten. Replicas, too: one that is promoted tells at once.
    /// </summary>
    async Task EnableNotificationsAsync(IServer server, CancellationToken cancellationToken)
    {
        if (servers.RunIdAt(server.EndPoint) is not { } run || (_reportedAt.TryGetValue(server.EndPoint, out var told) && told == run)) return;
        try
        {
            var flags = (await server.ConfigGetAsync(Setting).WaitAsync(Deadline, clock, cancellationToken)).Select(s => s.Value).FirstOrDefault() ?? "";
            var wanted = new string([.. flags.Union("Ex")]);
            // "A" stands for all kinds of events, expired ones among them.
            if (!flags.Contains('E', StringComparison.Ordinal) || flags.AsSpan().IndexOfAny('x', 'A') < 0)
                await server.ConfigSetAsync(Setting, wanted).WaitAsync(Deadline, clock, cancellationToken);
            _reportedAt[server.EndPoint] = run;
        }
        catch (RedisServerException e)
        {
            // A managed server that does not let itself be configured: it tells, or it does not.
            LogNotificationsUnavailable(logger, $"{server.EndPoint}", e.Message);
            _reportedAt[server.EndPoint] = run;
        }
        catch (Exception e) when (TransientFaults.IsTransient(e))
        {
            // Away again: it is told the next time.
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Redis at {EndPoint} may not tell of expired keys: {Reason}")]
    static partial void LogNotificationsUnavailable(ILogger logger, string endPoint, string reason);
}
