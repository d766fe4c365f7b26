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
    static readonly TimeSpan ComeAgain = TimeSpan.FromSeconds(2);

    /// <summary>Clients come back spread over this time, in ms.</summary>
    const int EarliestReturn = 1000, LatestReturn = 4000;

    readonly ConcurrentDictionary<EventClient, int> _clients = new();
    readonly ConcurrentDictionary<string, int> _perUser = new(StringComparer.Ordinal);
    int _reserved;
    int _next;
    volatile bool _closed;

    /// <summary>The line that tells a client after how many ms to come back when its stream ends.</summary>
    public static byte[] RetryLine() =>
        Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"retry: {Random.Shared.Next(EarliestReturn, LatestReturn)}\n\n"));

    /// <summary>Takes a place for a stream of this user; null where there is one, else why not. Give it back by <see cref="Leave"/>.</summary>
    public ProblemResult? TryEnter(string userId)
    {
        if (_closed || Interlocked.Increment(ref _reserved) > options.Value.Most)
        {
            if (!_closed) Interlocked.Decrement(ref _reserved);
            return EventProblems.StreamsFull.ToResult(retryAfter: ComeAgain);
        }

        if (_perUser.AddOrUpdate(userId, 1, static (_, count) => count + 1) > options.Value.MostPerUser)
        {
            Leave(userId);
            return EventProblems.TooManyStreams.ToResult(retryAfter: ComeAgain);
        }

        return null;
    }

    /// <summary>Gives back a place.</summary>
    public void Leave(string userId)
    {
        Interlocked.Decrement(ref _reserved);
        while (_perUser.TryGetValue(userId, out var count))
        {
            if (count > 1 ? _perUser.TryUpdate(userId, count - 1, count) : _perUser.TryRemove(new(userId, count))) return;
        }
    }

    /// <summary>From now on the client is told of openings, first of those that it does not have yet.</summary>
    public void Add(EventClient client)
    {
        _clients[client] = Interlocked.Increment(ref _next) & int.MaxValue;
        Open.Add(1);
        client.Pump();
        if (_closed) client.SendAway(RetryLine());
    }

    /// <summary>The client is gone.</summary>
    public void Remove(EventClient client)
    {
        if (_clients.TryRemove(client, out _)) Open.Add(-1);
    }

    /// <summary>Lets every client write what it does not have yet.</summary>
    public void Pump()
    {
        foreach (var (client, _) in _clients) client.Pump();
    }

    /// <summary>Gives a sign of life to one share of the clients, and drops those of all who do not read.</summary>
    public void Beat(int share, int shares)
    {
        foreach (var (client, number) in _clients)
        {
            if (client.IsStuck(options.Value.Patience))
            {
                Dropped.Add(1);
                client.Drop();
            }
            else if (number % shares == share)
            {
                client.Beat();
            }
        }
    }

    /// <summary>Nobody enters any more, and everybody is asked to come back elsewhere.</summary>
    public void SendAway()
    {
        _closed = true;
        foreach (var (client, _) in _clients) client.SendAway(RetryLine());
    }
}
