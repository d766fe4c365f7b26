using StackExchange.Redis;

namespace Commerce.Core.WaitingRoom;

/// <summary>
/// The Redis keys of the waiting room of one event. All have the hash tag <c>{waiting:ID}</c>, so that a script runs on one node of a
/// cluster.
/// </summary>
public readonly struct WaitingRoomKeys(long eventId)
{
    readonly string _tag = $"{{waiting:{eventId}}}:";

    /// <summary>
    /// Hash with server, epoch, at (µs since 1970), credit and next (the number of the last place). Without it the room is closed.
    /// While the room is being opened, it has epoch and opening (the server) only.
    /// </summary>
    public RedisKey Room => _tag + "room";

    /// <summary>Sorted set: user → number of the place, in the order of arrival.</summary>
    public RedisKey Waiting => _tag + "waiting";

    /// <summary>Hash: waiting user → time of the user's last request (s).</summary>
    public RedisKey Seen => _tag + "seen";

    /// <summary>Sorted set: user → end of the pass (µs since 1970, Redis' clock).</summary>
    public RedisKey Admitted => _tag + "admitted";

    /// <summary>The keys in the order that every script of the waiting room expects.</summary>
    public RedisKey[] All => [Room, Waiting, Seen, Admitted];
}
