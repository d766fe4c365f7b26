using System.Net;
using System.Threading.Channels;
using StackExchange.Redis;

namespace Commerce.Core.Redis;

/// <summary>
/// Reports expired keys of every current primary. Servers can join, leave and change roles. The reports are only hints: Redis reports
/// late if many keys have a time to live, and not at all while a connection is lost.
/// </summary>
/// <param name="prefix">The prefix of the keys to report.</param>
public sealed partial class ExpiredKeyFeed(IConnectionMultiplexer redis, RedisServers servers, string prefix, TimeProvider clock, ILogger<ExpiredKeyFeed> logger)
{
    const string Setting = "notify-keyspace-events";
    const int MaxWaiting = 10_000;

    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Each primary of a cluster reports only its own keys. The client subscribes at every primary, including later ones.
    /// </summary>
    static readonly RedisChannel Expired = RedisChannel.KeyEvent(KeyNotificationType.Expired, 0);

    readonly Channel<string> _keys =
        Channel.CreateBounded<string>(new BoundedChannelOptions(MaxWaiting) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    /// <summary>The servers that are configured to report, each with its run id.</summary>
    readonly Dictionary<EndPoint, string> _reportedAt = [];

    bool _subscribed;

    /// <summary>The expired keys without the prefix.</summary>
    public ChannelReader<string> Keys => _keys.Reader;

    /// <summary>Enables reports on every current server. Call it periodically, one call at a time.</summary>
    /// <exception cref="RedisException">Redis is unavailable.</exception>
    public async Task RefreshAsync(CancellationToken cancellationToken)
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
    /// Adds expired keys to the events that a server reports. A restarted server has lost the setting. A replica gets it too, because it
    /// may be promoted.
    /// </summary>
    async Task EnableNotificationsAsync(IServer server, CancellationToken cancellationToken)
    {
        if (servers.RunIdAt(server.EndPoint) is not { } run || (_reportedAt.TryGetValue(server.EndPoint, out var told) && told == run)) return;
        try
        {
            var flags = (await server.ConfigGetAsync(Setting).WaitAsync(Deadline, clock, cancellationToken)).Select(s => s.Value).FirstOrDefault() ?? "";
            var wanted = new string([.. flags.Union("Ex")]);
            // "A" stands for all kinds of events, expired keys included.
            if (!flags.Contains('E', StringComparison.Ordinal) || flags.AsSpan().IndexOfAny('x', 'A') < 0)
                await server.ConfigSetAsync(Setting, wanted).WaitAsync(Deadline, clock, cancellationToken);
            _reportedAt[server.EndPoint] = run;
        }
        catch (RedisServerException e)
        {
            // A managed server may forbid CONFIG. Its own settings apply then.
            LogNotificationsUnavailable(logger, $"{server.EndPoint}", e.Message);
            _reportedAt[server.EndPoint] = run;
        }
        catch (Exception e) when (TransientFaults.IsTransient(e))
        {
            // The server is unavailable again. The next call configures it.
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Redis at {EndPoint} does not allow its notifications of expired keys to be configured: {Reason}")]
    static partial void LogNotificationsUnavailable(ILogger logger, string endPoint, string reason);
}
