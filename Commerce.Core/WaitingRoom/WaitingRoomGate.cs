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

/// <summary>The state of a waiting room in Redis.</summary>
/// <param name="Epoch">The epoch of the open room. Null while the room is closed.</param>
/// <param name="IsOpening">Whether a process is opening the room.</param>
public readonly record struct RoomState(int? Epoch, bool IsOpening);

/// <summary>
/// The waiting rooms in Redis. Only their scripts decide who is admitted, by Redis' clock. Redis may lose a room at any time. The
/// room is then closed until it is opened under a new epoch, without places, but with the admissions in MySQL.
/// </summary>
public sealed class WaitingRoomGate(IConnectionMultiplexer connection, RedisServers servers, IOptions<WaitingRoomOptions> options)
{
    const double CreditOfOne = 1_000_000;

    /// <summary>The admissions per call. A call has at most 1,048,576 arguments, and Redis serves nobody else during it.</summary>
    const int BatchSize = 5_000;

    static readonly RedisScript Enter = RedisScript.Load("WaitingRoom/enter.lua");
    static readonly RedisScript Leave = RedisScript.Load("WaitingRoom/leave.lua");
    static readonly RedisScript Open = RedisScript.Load("WaitingRoom/open.lua");
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(1);

    /// <summary>How long an opening blocks others if its process does not continue.</summary>
    static readonly TimeSpan OpeningLease = TimeSpan.FromSeconds(5);

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

    /// <summary>Finds out whether the room is open in this incarnation of the server, and under which epoch.</summary>
    public async Task<RoomState> FindStateAsync(long eventId)
    {
        var keys = new WaitingRoomKeys(eventId);
        if (servers.IncarnationOf(keys.Room) is not { } server) return default;
        var fields = await _redis.HashGetAsync(keys.Room, ["server", "epoch", "opening"]).WaitAsync(Deadline);
        return new(fields[0] == server ? (int)fields[1] : null, fields[2] == server);
    }

    /// <summary>Counts the waiting users. Returns null while the room is closed.</summary>
    public async Task<long?> CountAsync(long eventId) =>
        (await FindStateAsync(eventId)).Epoch is null ? null : await _redis.SortedSetLengthAsync(new WaitingRoomKeys(eventId).Waiting).WaitAsync(Deadline);

    /// <summary>
    /// Opens a room with these admissions and without places. It does nothing if the room is open, or being opened, under this epoch or
    /// a newer one. Returns the number of restored admissions, or null while the server is unknown.
    /// </summary>
    public async Task<int?> OpenAsync(long eventId, int epoch, IAsyncEnumerable<Admission> admissions)
    {
        var keys = new WaitingRoomKeys(eventId);
        if (servers.IncarnationOf(keys.Room) is not { } server) return null;
        if (!await TakeAsync("begin", [])) return 0;
        var count = 0;
        await foreach (var batch in admissions.Chunk(BatchSize))
        {
            if (!await TakeAsync("add", batch)) return count;
            count += batch.Length;
        }

        await TakeAsync("open", []);
        return count;

        async Task<bool> TakeAsync(string step, Admission[] batch) => (int)await Open.RunAsync(
            _redis, keys.All,
            [
                server, epoch, step, (long)Retention.TotalSeconds, (long)OpeningLease.TotalSeconds,
                .. batch.SelectMany(IEnumerable<RedisValue> (a) => [a.Expires, a.UserId]),
            ], Deadline) == 1;
    }
}
