using System.Collections.Concurrent;
using System.Net;
using Commerce.ServiceDefaults;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Commerce.Core.Redis;

/// <summary>
/// Knows which incarnation of a Redis server this process talks to. A restarted server, or a replica that took over, has another
/// <c>run_id</c>: what it holds may be older than what was promised, so whoever relies on its memory passes the id along and is refused
/// where the data was written under another one.
/// </summary>
public sealed partial class RedisServers(IConnectionMultiplexer redis, TimeProvider clock, ILogger<RedisServers> logger) : IHostedService, IDisposable
{
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(2);

    /// <summary>Until a server has said who it is, nothing goes through its gates: it is asked until it answers.</summary>
    static readonly RetryPolicy Retries = new() { BaseDelay = TimeSpan.FromMilliseconds(100), MaxDelay = TimeSpan.FromSeconds(2) };

    readonly ConcurrentDictionary<EndPoint, Connection> _connections = new();
    readonly CancellationTokenSource _stopping = new();
    volatile bool _isReplicated;

    /// <summary>The run id of the server that holds <paramref name="key"/>; null while it is unknown: treat it as out of reach.</summary>
    public string? IncarnationOf(RedisKey key)
    {
        if (!_isReplicated)
        {
            foreach (var (_, only) in _connections) return only.RunId;
            return null;
        }

        var servers = redis.GetEndPoints().Select(e => redis.GetServer(e)).ToList();
        // Without a cluster it is a primary with replicas. Where two call themselves primary, nobody knows.
        var at = servers.Select(s => s.ClusterConfiguration?.GetBySlot(key)).FirstOrDefault(n => n is not null)?.EndPoint
            ?? (servers.Where(s => s.IsConnected && !s.IsReplica).Take(2).ToList() is [var primary] ? primary.EndPoint : null);
        return at is not null && _connections.TryGetValue(at, out var connection) ? connection.RunId : null;
    }

    /// <inheritdoc/>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        redis.ConnectionFailed += OnFailed;
        redis.ConnectionRestored += OnRestored;
        await Task.WhenAll(redis.GetEndPoints().Select(at => IdentifyAsync(at, new())));
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken)
    {
        redis.ConnectionFailed -= OnFailed;
        redis.ConnectionRestored -= OnRestored;
        return _stopping.CancelAsync();
    }

    /// <inheritdoc/>
    public void Dispose() => _stopping.Dispose();

    // Not only forgotten: should this be told after the next connection is there, that one is asked.
    void OnFailed(object? sender, ConnectionFailedEventArgs e)
    {
        if (e.ConnectionType == ConnectionType.Interactive && e.EndPoint is { } at) _ = IdentifyAsync(at, new());
    }

    void OnRestored(object? sender, ConnectionFailedEventArgs e)
    {
        if (e.ConnectionType == ConnectionType.Interactive && e.EndPoint is { } at) _ = IdentifyAsync(at, new());
    }

    /// <summary>Returns after the first try; the others go on beside the caller.</summary>
    async Task IdentifyAsync(EndPoint at, Connection connection)
    {
        _connections[at] = connection;
        if (await TryIdentifyAsync(at, connection) is not { } failure) return;
        LogUnknown(logger, $"{at}", failure.Message);
        _ = IdentifyLaterAsync(at, connection);
    }

    async Task IdentifyLaterAsync(EndPoint at, Connection connection)
    {
        try
        {
            for (var attempt = 1; ; attempt++)
            {
                await Task.Delay(Retries.Delay(attempt), clock, _stopping.Token);
                // Another connection may have taken its place.
                if (!_connections.TryGetValue(at, out var now) || now != connection || await TryIdentifyAsync(at, connection) is null) return;
            }
        }
        catch (OperationCanceledException)
        {
            // The process ends.
        }
    }

    /// <summary>Why it did not answer; null where it did.</summary>
    async Task<Exception?> TryIdentifyAsync(EndPoint at, Connection connection)
    {
        try
        {
            var info = await redis.GetServer(at).InfoAsync("server").WaitAsync(Deadline, clock);
            // Kept with its connection: an answer that comes after the connection is gone tells nothing about the next one.
            connection.RunId = info.SelectMany(g => g).First(p => p.Key == "run_id").Value;
            _isReplicated = redis.GetEndPoints().Length > 1;
            return null;
        }
        catch (Exception e)
        {
            // Also where a server answers without a run id: whatever it is, the process starts, and asks again.
            return e;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The run id of Redis at {EndPoint} is not known yet: {Reason}")]
    static partial void LogUnknown(ILogger logger, string endPoint, string reason);

    /// <summary>One connection to a server, and who the server is once it has said so.</summary>
    sealed class Connection
    {
        public volatile string? RunId;
    }
}
