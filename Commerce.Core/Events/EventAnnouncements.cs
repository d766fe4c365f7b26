using System.Globalization;
using Commerce.Core.Redis;
using StackExchange.Redis;

namespace Commerce.Core.Events;

/// <summary>
/// Announces openings to the replicas of the Api through a Redis stream. The ids of the stream are the numbers of the openings. If
/// Redis loses the stream, the database has the same openings under the same numbers.
/// </summary>
public sealed class EventAnnouncements(IConnectionMultiplexer connection)
{
    /// <summary>The channel that wakes readers of the stream.</summary>
    public static RedisChannel Channel { get; } = new("events:announced", RedisChannel.PatternMode.Literal);

    static readonly RedisKey Key = "{events}:stream";
    static readonly RedisScript Announce = RedisScript.Load("Events/announce.lua");
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(1);

    const int MaxEntries = 10_000;

    readonly IDatabase _redis = connection.GetDatabase();

    /// <summary>Adds an opening. Repeated calls are safe.</summary>
    public Task AnnounceAsync(EventOpened opened) =>
        Announce.RunAsync(_redis, [Key], [opened.Seq, opened.ToBytes(), MaxEntries, (string)Channel!], Deadline);

    /// <summary>Returns the number of the last opening in the stream, or 0 if it is empty.</summary>
    public async Task<long> LastAsync()
    {
        var entries = (RedisResult[])(await _redis.ExecuteAsync("XREVRANGE", (string)Key!, "+", "-", "COUNT", 1).WaitAsync(Deadline))!;
        return entries.Length == 0 ? 0 : long.Parse(((string)((RedisResult[])entries[0]!)[0]!).Split('-')[0], CultureInfo.InvariantCulture);
    }

    /// <summary>Deletes the stream. The replicas then read the missing openings from the database.</summary>
    public Task ForgetAsync() => _redis.KeyDeleteAsync(Key).WaitAsync(Deadline);

    /// <summary>Reads the openings in the stream after the number <paramref name="after"/>. Numbers may be missing.</summary>
    public async Task<IReadOnlyList<EventOpened>> ReadAsync(long after, int limit)
    {
        // XREAD BLOCK would block the shared connection.
        var from = string.Create(CultureInfo.InvariantCulture, $"{after + 1}-0");
        var entries = (RedisResult[])(await _redis.ExecuteAsync("XRANGE", (string)Key!, from, "+", "COUNT", limit).WaitAsync(Deadline))!;
        var opened = new List<EventOpened>(entries.Length);
        foreach (var entry in entries)
        {
            var fields = (RedisResult[])((RedisResult[])entry!)[1]!;
            if (EventOpened.Read((byte[])fields[1]!, out var one) is null) opened.Add(one);
        }

        return opened;
    }
}
