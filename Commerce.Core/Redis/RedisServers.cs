using System.Collections.Concurrent;
using System.Net;
using StackExchange.Redis;

namespace Commerce.Core.Redis;

/// <summary>
/// Tracks the incarnation of each Redis server. A restarted server or a promoted replica has another <c>run_id</c>, and its data may
/// be older than what was promised. Scripts that depend on the data in Redis receive the run id, and refuse to run if another
/// incarnation wrote the data.
/// </summary>
public sealed partial class RedisServers(IConnectionMultiplexer redis, TimeProvider clock, ILogger<RedisServers> logger) : IHostedService, IDisposable
{
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(2);

    /// <summary>The waits between queries for the run id. A gate does not work until its server has reported its run id.</summary>
    static readonly RetryPolicy Retries = new() { BaseDelay = TimeSpan.FromMilliseconds(100), MaxDelay = TimeSpan.FromSeconds(2) };

    readonly ConcurrentDictionary<EndPoint, Connection> _connections = new();
    readonly CancellationTokenSource _stopping = new();
    volatile bool _isReplicated;

    /// <summary>
    /// Returns the run id of the server that holds <paramref name="key"/>. Null means that it is unknown, and the server counts as
    /// unavailable.
    /// </summary>
    public string? IncarnationOf(RedisKey key)
    {
        if (!_isReplicated)
        {
            foreach (var (_, only) in _connections) return only.RunId;
            return null;
        }

        return FindPrimary(key) is { } at ? RunIdAt(at) : null;
    }

    /// <summary>Returns the run id of a server, or null while it is unknown.</summary>
    public string? RunIdAt(EndPoint at)
    {
        if (_connections.TryGetValue(at, out var connection)) return connection.RunId;
        // The node joined after the start of the process.
        _ = IdentifyAsync(at, new());
        return null;
    }

    /// <summary>
    /// Finds the server that receives the commands for this key. Returns null if no server, or more than one, claims to be its primary.
    /// </summary>
    EndPoint? FindPrimary(RedisKey key)
    {
        var primaries = redis.GetServers().Where(s => s.IsConnected && !s.IsReplica).Take(2).ToList();
        if (primaries.Count == 0) return null;
        if (primaries[0].ServerType != ServerType.Cluster) return primaries is [var only] ? only.EndPoint : null;
        try
        {
            return redis.GetServer(key, flags: CommandFlags.DemandMaster).EndPoint;
        }
        catch (InvalidOperationException)
        {
            // The primary of this slot is unavailable, and no replica has taken over yet.
            return null;
        }
    }

    /// <inheritdoc/>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        redis.ConnectionFailed += OnFailed;
        redis.ConnectionRestored += OnRestored;
        redis.ConfigurationChanged += OnChanged;
        await Task.WhenAll(redis.GetEndPoints().Select(at => IdentifyAsync(at, new())));
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken)
    {
        redis.ConnectionFailed -= OnFailed;
        redis.ConnectionRestored -= OnRestored;
        redis.ConfigurationChanged -= OnChanged;
        return _stopping.CancelAsync();
    }

    /// <inheritdoc/>
    public void Dispose() => _stopping.Dispose();

    // The server is queried here too, because this event may arrive after the next connection is established.
    void OnFailed(object? sender, ConnectionFailedEventArgs e)
    {
        if (e.ConnectionType == ConnectionType.Interactive && e.EndPoint is { } at) _ = IdentifyAsync(at, new());
    }

    void OnRestored(object? sender, ConnectionFailedEventArgs e)
    {
        if (e.ConnectionType == ConnectionType.Interactive && e.EndPoint is { } at) _ = IdentifyAsync(at, new());
    }

    void OnChanged(object? sender, EndPointEventArgs e) => _isReplicated = redis.GetEndPoints().Length > 1;

    /// <summary>Queries the run id. Returns after the first attempt. Further attempts run in the background.</summary>
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
                // A newer connection may have replaced it.
                if (!_connections.TryGetValue(at, out var now) || now != connection || await TryIdentifyAsync(at, connection) is null) return;
            }
        }
        catch (OperationCanceledException)
        {
            // The process is ending.
        }
    }

    /// <summary>Queries the run id once. Returns the failure, or null on success.</summary>
    async Task<Exception?> TryIdentifyAsync(EndPoint at, Connection connection)
    {
        try
        {
            var info = await redis.GetServer(at).InfoAsync("server").WaitAsync(Deadline, clock);
            // The run id is stored with its connection. A late response says nothing about the next connection.
            connection.RunId = info.SelectMany(g => g).First(p => p.Key == "run_id").Value;
            _isReplicated = redis.GetEndPoints().Length > 1;
            return null;
        }
        catch (Exception e)
        {
            // Any failure counts, including a server without a run id. The process starts and tries again.
            return e;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The run id of Redis at {EndPoint} is not known yet: {Reason}")]
    static partial void LogUnknown(ILogger logger, string endPoint, string reason);

    /// <summary>A connection, with the run id of its server once it is known.</summary>
    sealed class Connection
    {
        public volatile string? RunId;
    }
}
