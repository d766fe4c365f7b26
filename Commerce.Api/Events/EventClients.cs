using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;
using Commerce.Core.Events;
using Microsoft.Extensions.Options;

namespace Commerce.Api.Events;

/// <summary>The open streams of this replica.</summary>
sealed class EventClients(IOptions<EventStreamOptions> options)
{
    static readonly UpDownCounter<long> Open = CommerceTelemetry.Meter.CreateUpDownCounter<long>("commerce.events.streams");
    static readonly Counter<long> Dropped = CommerceTelemetry.Meter.CreateCounter<long>("commerce.events.streams.dropped");

    /// <summary>The range of reconnect delays in ms, over which reconnecting clients are spread.</summary>
    const int MinReconnectMs = 1000, MaxReconnectMs = 4000;

    /// <summary>
    /// The range for replaced streams. They reconnect later: if a user has more open pages than allowed streams, each reconnect replaces
    /// another stream.
    /// </summary>
    const int MinReplacedReconnectMs = 30_000, MaxReplacedReconnectMs = 60_000;

    readonly ConcurrentDictionary<EventClient, int> _clients = new();
    readonly Dictionary<string, UserStreams> _perUser = new(StringComparer.Ordinal);
    readonly Lock _perUserLock = new();
    int _reserved;
    int _next;
    volatile bool _closed;

    /// <summary>Returns the line that tells a client its reconnect delay in ms.</summary>
    public static byte[] RetryLine() => RetryLine(MinReconnectMs, MaxReconnectMs);

    static byte[] RetryLine(int earliest, int latest) =>
        Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"retry: {Random.Shared.Next(earliest, latest)}\n\n"));

    /// <summary>
    /// Reserves a place for a stream of this user. Returns null on success, otherwise the refusal. <see cref="Add"/> uses the place, and
    /// <see cref="Leave"/> returns it.
    /// </summary>
    public ProblemResult? TryEnter(string userId)
    {
        if (_closed || Interlocked.Increment(ref _reserved) > options.Value.MaxStreams)
        {
            if (!_closed) Interlocked.Decrement(ref _reserved);
            return EventProblems.StreamsFull.ToResult();
        }

        lock (_perUserLock)
        {
            if (!_perUser.TryGetValue(userId, out var streams)) _perUser[userId] = streams = new();
            // New streams replace open ones, so only the number of streams that are about to open is limited.
            if (streams.Entering < options.Value.MaxStreamsPerUser)
            {
                streams.Entering++;
                return null;
            }
        }

        Interlocked.Decrement(ref _reserved);
        return EventProblems.TooManyStreams.ToResult();
    }

    /// <summary>Returns the place of a stream that was not added.</summary>
    public void Leave(string userId)
    {
        Interlocked.Decrement(ref _reserved);
        lock (_perUserLock)
        {
            var streams = _perUser[userId];
            streams.Entering--;
            Forget(userId, streams);
        }
    }

    /// <summary>
    /// Adds a client. It receives the openings that it does not have yet, and then all new ones. If its user has too many streams, the
    /// oldest is disconnected, because its connection may have been dead for minutes.
    /// </summary>
    public void Add(EventClient client)
    {
        EventClient? oldest = null;
        lock (_perUserLock)
        {
            var streams = _perUser[client.UserId];
            streams.Entering--;
            streams.Open.Add(client);
            if (streams.Open.Count > options.Value.MaxStreamsPerUser)
            {
                oldest = streams.Open[0];
                streams.Open.RemoveAt(0);
            }
        }

        oldest?.Disconnect(RetryLine(MinReplacedReconnectMs, MaxReplacedReconnectMs));
        _clients[client] = Interlocked.Increment(ref _next) & int.MaxValue;
        Open.Add(1);
        client.Flush();
        if (_closed) client.Disconnect(RetryLine());
    }

    /// <summary>Removes a client that is gone and frees its place.</summary>
    public void Remove(EventClient client)
    {
        if (!_clients.TryRemove(client, out _))
        {
            Leave(client.UserId);
            return;
        }

        Open.Add(-1);
        Interlocked.Decrement(ref _reserved);
        lock (_perUserLock)
        {
            // The entry is missing if the stream was replaced.
            if (!_perUser.TryGetValue(client.UserId, out var streams)) return;
            streams.Open.Remove(client);
            Forget(client.UserId, streams);
        }
    }

    void Forget(string userId, UserStreams streams)
    {
        if (streams is { Entering: 0, Open.Count: 0 }) _perUser.Remove(userId);
    }

    /// <summary>Writes new openings to every client.</summary>
    public void Flush()
    {
        foreach (var (client, _) in _clients) client.Flush();
    }

    /// <summary>Sends a heartbeat to one share of the clients and aborts all stalled clients.</summary>
    public void SendHeartbeats(int share, int shares)
    {
        foreach (var (client, number) in _clients)
        {
            if (client.IsStalled(options.Value.ClientTimeout))
            {
                Dropped.Add(1);
                client.Drop();
            }
            else if (number % shares == share)
            {
                client.SendHeartbeat();
            }
        }
    }

    /// <summary>Rejects new clients and asks all others to reconnect elsewhere.</summary>
    public void Close()
    {
        _closed = true;
        Disconnect();
    }

    /// <summary>Asks all clients to reconnect.</summary>
    public void Disconnect()
    {
        foreach (var (client, _) in _clients) client.Disconnect(RetryLine());
    }

    /// <summary>The streams of one user, the oldest first.</summary>
    sealed class UserStreams
    {
        /// <summary>The number of streams that have a place and are not open yet.</summary>
        public int Entering { get; set; }

        public List<EventClient> Open { get; } = new(1);
    }
}
