using Commerce.Core.Redis;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Commerce.Core.WaitingRoom;

/// <summary>The state of a user's place.</summary>
public enum PlaceState
{
    /// <summary>The room is not open in Redis, or was opened by another incarnation of the server.</summary>
    Closed,
    /// <summary>The user has no place.</summary>
    None,
    /// <summary>The user waits.</summary>
    Waiting,
    /// <summary>The user is admitted.</summary>
    Admitted,
}

/// <summary>The state of a user in one waiting room.</summary>
/// <param name="Epoch">The epoch of the room. Places of another epoch are forgotten.</param>
/// <param name="Ahead">For a waiting user, the number of users ahead.</param>
/// <param name="Waiting">For a waiting user, the total number of waiting users.</param>
/// <param name="Wait">For a waiting user, the estimated time until the admission, from now or from the opening.</param>
/// <param name="Expires">For an admitted user, the end of the pass in µs since 1970, by Redis' clock.</param>
public readonly record struct PlaceResult(PlaceState State, int Epoch = 0, long Ahead = 0, long Waiting = 0, TimeSpan Wait = default, long Expires = 0);

/// <summary>
/// The waiting rooms in Redis. Only their scripts decide who is admitted, by Redis' clock. Redis may lose a room at any time. The
/// room is then closed until it is opened under a new epoch, without places, but with the admissions in MySQL.
/// </summary>
public sealed class WaitingRoomGate(IConnectionMultiplexer connection, RedisServers servers, IOptions<WaitingRoomOptions> options)
{
    const double CreditOfOne = 1_000_000;

    static readonly RedisScript Enter = RedisScript.Load("WaitingRoom/enter.lua");
    static readonly RedisScript Leave = RedisScript.Load("WaitingRoom/leave.lua");
    static readonly RedisScript Open = RedisScript.Load("WaitingRoom/open.lua");
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(1);

    /// <summary>How long Redis keeps a room without requests.</summary>
    static readonly TimeSpan Retention = TimeSpan.FromDays(2);

    readonly IDatabase _redis = connection.GetDatabase();

    /// <summary>
    /// Admits the users whose turn has come, and returns the state of this user. A user who joins gets a place. A user has at most one
    /// place.
    /// </summary>
    public async Task<PlaceResult> EnterAsync(Room room, string userId, bool joins)
    {
        var keys = new WaitingRoomKeys(room.EventId);
        if (servers.IncarnationOf(keys.Room) is not { } server) return new(PlaceState.Closed);
        var answer = (RedisResult[])(await Enter.RunAsync(_redis, keys.All,
        [
            server, userId, joins, room.IsOpen, room.Rate, (long)options.Value.PassLifetime.TotalMicroseconds, (long)options.Value.KeepPlace.TotalSeconds,
            (long)Retention.TotalSeconds,
        ], Deadline))!;
        return answer switch
        {
            [] => new(PlaceState.Closed),
            [var epoch] => new(PlaceState.None, (int)epoch),
            [var epoch, var expires] => new(PlaceState.Admitted, (int)epoch, Expires: (long)expires),
            _ => new(
                PlaceState.Waiting, (int)answer[0], (long)answer[1], (long)answer[3],
                TimeSpan.FromSeconds(Math.Max(0, ((long)answer[1] + 1 - ((long)answer[2] / CreditOfOne)) / room.Rate))),
        };
    }

    /// <summary>Gives up the place of a user.</summary>
    public Task LeaveAsync(long eventId, string userId) => Leave.RunAsync(_redis, new WaitingRoomKeys(eventId).All, [userId], Deadline);

    /// <summary>Whether the room is open in this incarnation of the server.</summary>
    public async Task<bool> IsOpenAsync(long eventId)
    {
        var keys = new WaitingRoomKeys(eventId);
        return servers.IncarnationOf(keys.Room) is { } server && await _redis.HashGetAsync(keys.Room, "server").WaitAsync(Deadline) == server;
    }

    /// <summary>Counts the waiting users. Returns null while the room is closed.</summary>
    public async Task<long?> CountAsync(long eventId) =>
        await IsOpenAsync(eventId) ? await _redis.SortedSetLengthAsync(new WaitingRoomKeys(eventId).Waiting).WaitAsync(Deadline) : null;

    /// <summary>Opens a room without places, unless a newer epoch of it is open. Returns false while the server is unknown.</summary>
    public async Task<bool> OpenAsync(long eventId, int epoch, IReadOnlyList<Admission> admissions)
    {
        var keys = new WaitingRoomKeys(eventId);
        if (servers.IncarnationOf(keys.Room) is not { } server) return false;
        await Open.RunAsync(_redis, keys.All, [server, epoch, (long)Retention.TotalSeconds, .. admissions.SelectMany(IEnumerable<RedisValue> (a) => [a.Expires, a.UserId])], Deadline);
        return true;
    }
}
