using System.Collections.Concurrent;
using System.Net;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Commerce.Core.Redis;

/// <summary>
/// Knows which incarnation of a Redis server this process talks to. A restarted server, or a replica that took over, has another
/// <c>run_id</c>: what it holds may be older than what was promised, so whoever relies on its memory passes the id along and is refused
/// where the data was written under another one.
/// </summary>
public sealed partial class RedisServers(IConnectionMultiplexer redis, ILogger<RedisServers> logger) : IHostedService
{
    readonly ConcurrentDictionary<EndPoint, string> _incarnations = new();
    volatile bool _several;

    /// <summary>The run id of the server that holds <paramref name="key"/>; null while it is unknown: treat it as out of reach.</summary>
    public string? IncarnationOf(RedisKey key)
    {
        if (!_several)
        {
            foreach (var (_, only) in _incarnations) return only;
            return null;
        }

        var node = redis.GetEndPoints().Select(e => redis.GetServer(e).ClusterConfiguration?.GetBySlot(key)).FirstOrDefault(n => n is not null);
        return node?.EndPoint is { } at && _incarnations.TryGetValue(at, out var id) ? id : null;
    }

    /// <inheritdoc/>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        redis.ConnectionFailed += OnFailed;
        redis.ConnectionRestored += OnRestored;
        await Task.WhenAll(redis.GetEndPoints().Select(LearnAsync));
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken)
    {
        redis.ConnectionFailed -= OnFailed;
        redis.ConnectionRestored -= OnRestored;
        return Task.CompletedTask;
    }

    void OnFailed(object? sender, ConnectionFailedEventArgs e)
    {
        if (e.ConnectionType == ConnectionType.Interactive && e.EndPoint is { } at) _incarnations.TryRemove(at, out _);
    }

    void OnRestored(object? sender, ConnectionFailedEventArgs e)
    {
        if (e.ConnectionType == ConnectionType.Interactive && e.EndPoint is { } at) _ = LearnAsync(at);
    }

    async Task LearnAsync(EndPoint at)
    {
        try
        {
            var server = redis.GetServer(at);
            var info = await server.InfoAsync("server").WaitAsync(TimeSpan.FromSeconds(2));
            _incarnations[at] = info.SelectMany(g => g).First(p => p.Key == "run_id").Value;
            _several = redis.GetEndPoints().Length > 1;
        }
        catch (Exception e) when (e is RedisException or TimeoutException or ObjectDisposedException)
        {
            // Not connected: ConnectionRestored comes when it is.
            LogUnknown(logger, at, e.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Redis at {EndPoint} cannot be asked for its run id: {Reason}")]
    static partial void LogUnknown(ILogger logger, EndPoint endPoint, string reason);
}
