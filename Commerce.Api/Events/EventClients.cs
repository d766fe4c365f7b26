using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;
using Commerce.Core.Events;
using Commerce.ServiceDefaults;
using Microsoft.Extensions.Options;

namespace Commerce.Api.Events;

/// <summary>The open streams of this replica.</summary>
sealed class EventClients(IOptions<EventStreamOptions> options)
{
    static readonly UpDownCounter<long> Open = CommerceTelemetry.Meter.CreateUpDownCounter<long>("commerce.events.streams");
    static readonly Counter<long> Dropped = CommerceTelemetry.Meter.CreateCounter<long>("commerce.events.streams.dropped");

    /// <summary>When those who are turned or sent away may come again.</summary>
    static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(2);

    /// <summary>Clients come back spread over this time, in ms.</summary>
    const int EarliestReturn = 1000, LatestReturn = 4000;

    /// <summary>Those that were replaced come back later: with more open pages than streams allowed, each return replaces another.</summary>
    const int EarliestReturnOfReplaced = 30_000, LatestReturnOfReplaced = 60_000;

    readonly ConcurrentDictionary<EventClient, int> _clients = new();
    readonly Dictionary<string, UserStreams> _perUser = new(StringComparer.Ordinal);
    readonly Lock _perUserLock = new();
    int _reserved;
    int _next;
    volatile bool _closed;

    /// <summary>The line that tells a client after how many ms to come back when its stream ends.</summary>
    public static byte[] RetryLine() => RetryLine(EarliestReturn, LatestReturn);

    static byte[] RetryLine(int earliest, int latest) =>
        Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"retry: {Random.Shared.Next(earliest, latest)}\n\n"));

    /// <summary>
    /// Takes a place for a stream of this user; null where there is one, else why not. <see cref="Add"/> it, or give the place back by
    /// <see cref="Leave"/>.
    /// </summary>
    public ProblemResult? TryEnter(string userId)
    {
        if (_closed || Interlocked.Increment(ref _reserved) > options.Value.MaxStreams)
        {
            if (!_closed) Interlocked.Decrement(ref _reserved);
            return EventProblems.StreamsFull.ToResult(retryAfter: RetryAfter);
        }

        lock (_perUserLock)
        {
            if (!_perUser.TryGetValue(userId, out var streams)) _perUser[userId] = streams = new();
            // Those that are open give way to new ones; only so many at once may be about to open.
            if (streams.Entering < options.Value.MaxStreamsPerUser)
            {
                streams.Entering++;
                return null;
            }
        }

        Interlocked.Decrement(ref _reserved);
        return EventProblems.TooManyStreams.ToResult(retryAfter: RetryAfter);
    }

    /// <summary>Gives back the place of a stream that was not added.</summary>
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
    /// From now on the client is told of openings, first of those that it does not have yet. Where its user has too many streams the oldest is sent away: its
    /// other end may have been gone for minutes without anybody noticing, and whoever comes now is there.
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

        oldest?.Disconnect(RetryLine(EarliestReturnOfReplaced, LatestReturnOfReplaced));
        _clients[client] = Interlocked.Increment(ref _next) & int.MaxValue;
        Open.Add(1);
        client.Flush();
        if (_closed) client.Disconnect(RetryLine());
    }

    /// <summary>The client is gone; its place is free.</summary>
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
            // Missing where it was replaced.
            if (!_perUser.TryGetValue(client.UserId, out var streams)) return;
            streams.Open.Remove(client);
            Forget(client.UserId, streams);
        }
    }

    void Forget(string userId, UserStreams streams)
    {
        if (streams is { Entering: 0, Open.Count: 0 }) _perUser.Remove(userId);
    }

    /// <summary>Lets every client write what it does not have yet.</summary>
    public void Flush()
    {
        foreach (var (client, _) in _clients) client.Flush();
    }

    /// <summary>Gives a sign of life to one share of the clients, and drops those of all who do not read.</summary>
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

    /// <summary>Nobody enters any more, and everybody is asked to come back elsewhere.</summary>
    public void Close()
    {
        _closed = true;
        Disconnect();
    }

    /// <summary>Everybody is asked to come back.</summary>
    public void Disconnect()
    {
        foreach (var (client, _) in _clients) client.Disconnect(RetryLine());
    }

    /// <summary>The streams of one user, the oldest first.</summary>
    sealed class UserStreams
    {
        /// <summary>How many have a place and are not open yet.</summary>
        public int Entering { get; set; }

        public List<EventClient> Open { get; } = new(1);
    }
}
