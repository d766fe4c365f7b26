using Commerce.Core.Redis;
using StackExchange.Redis;

namespace Commerce.Core.Events;

/// <summary>
/// When which event is to open or close, in Redis: a sorted set that is polled, and a key for each moment that expires then. It says when to look,
/// never what is true: the database does that, and the schedule is restored from it where Redis lost it.
/// </summary>
public sealed class EventSchedule(IConnectionMultiplexer connection, RedisServers servers)
{
    /// <summary>What the names of the timers begin with; a moment follows.</summary>
    public const string TimerPrefix = "{events}:";

    static readonly RedisKey Schedule = "{events}:schedule";
    static readonly RedisKey Pending = "{events}:pending";

    static readonly RedisScript Plan = RedisScript.Load("Events/plan.lua");
    static readonly RedisScript Unplan = RedisScript.Load("Events/unplan.lua");
    static readonly RedisScript Due = RedisScript.Load("Events/due.lua");
    static readonly RedisScript Unlock = RedisScript.Load("Events/unlock.lua");

    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(1);

    /// <summary>Longer than an opening mostly takes. Who is slower is safe without it; who dies with it holds up the others for no longer.</summary>
    static readonly TimeSpan LockDuration = TimeSpan.FromMilliseconds(500);

    const int BatchSize = 500;

    readonly IDatabase _redis = connection.GetDatabase();

    /// <summary>Plans one moment. Safe to repeat and to come late.</summary>
    public Task PlanAsync(ScheduledTransition planned) => PlanAsync([planned], "", 0);

    /// <summary>Plans all that the database has; with that the schedule is whole again.</summary>
    public async Task RestoreAsync(IReadOnlyList<ScheduledTransition> all)
    {
        if (servers.IncarnationOf(Schedule) is not { } server) return;
        foreach (var some in all.Chunk(BatchSize)) await PlanAsync(some, "", 0);
        await PlanAsync([], server, all.Count);
    }

    /// <summary>Takes a moment out, unless it was planned anew under a newer version.</summary>
    public Task RemoveAsync(EventTransition transition, int version) =>
        Unplan.RunAsync(_redis, [Schedule, Pending, TimerOf(transition)], [transition.ToString(), version], Deadline);

    /// <summary>What is due by Redis' clock.</summary>
    /// <returns>
    /// Whole: false where the schedule is another server's or was lost, null where it is not known which server answers. Next: how long until the next that is not due yet; null where there is none.
    /// </returns>
    public async Task<(bool? Whole, TimeSpan? Next, IReadOnlyList<EventTransition> Due)> DueAsync(int limit)
    {
        var answer = (RedisResult[])(await Due.RunAsync(_redis, [Schedule, Pending], [limit], Deadline))!;
        var due = new List<EventTransition>(answer.Length - 2);
        foreach (var name in answer.Skip(2))
            if (EventTransition.TryParse((string)name!, out var transition)) due.Add(transition);
        var next = (long)answer[1];
        var whole = servers.IncarnationOf(Schedule) is { } server ? (string)answer[0]! == server : (bool?)null;
        return (whole, next < 0 ? null : TimeSpan.FromMilliseconds(next), due);
    }

    /// <summary>The token of the lock on a moment; null where somebody else has it.</summary>
    public async Task<string?> TryLockAsync(EventTransition transition)
    {
        var token = Guid.NewGuid().ToString("N");
        return await _redis.StringSetAsync(LockOf(transition), token, LockDuration, When.NotExists).WaitAsync(Deadline) ? token : null;
    }

    /// <summary>Lets go of a lock, if it is still the token's.</summary>
    public Task UnlockAsync(EventTransition transition, string token) => Unlock.RunAsync(_redis, [LockOf(transition)], [token], Deadline);

    Task<RedisResult> PlanAsync(IReadOnlyList<ScheduledTransition> planned, string server, int whole) =>
        Plan.RunAsync(_redis,
            [Schedule, Pending, .. planned.Select(p => TimerOf(p.Transition))],
            // Not a fraction of a millisecond too early: the database would refuse.
            [server, whole, .. planned.SelectMany(p => new RedisValue[] { p.Transition.ToString(), (long)Math.Ceiling(p.Wait.TotalMilliseconds), p.Version })],
            Deadline);

    static RedisKey TimerOf(EventTransition transition) => TimerPrefix + transition;

    static RedisKey LockOf(EventTransition transition) => "{events}:lock:" + transition;
}
