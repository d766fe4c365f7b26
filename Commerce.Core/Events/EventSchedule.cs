using Commerce.Core.Redis;
using StackExchange.Redis;

namespace Commerce.Core.Events;

/// <summary>
/// The schedule of openings and closings in Redis: a sorted set for the poller, and an expiring key per transition for the listener.
/// The schedule only says when to look. The database decides, and it restores the schedule after a loss.
/// </summary>
public sealed class EventSchedule(IConnectionMultiplexer connection, RedisServers servers)
{
    /// <summary>The prefix of timer keys. The transition follows it.</summary>
    public const string TimerPrefix = "{events}:";

    static readonly RedisKey Schedule = "{events}:schedule";
    static readonly RedisKey Pending = "{events}:pending";

    static readonly RedisScript Plan = RedisScript.Load("Events/plan.lua");
    static readonly RedisScript Unplan = RedisScript.Load("Events/unplan.lua");
    static readonly RedisScript Due = RedisScript.Load("Events/due.lua");
    static readonly RedisScript Unlock = RedisScript.Load("Events/unlock.lua");

    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(1);

    /// <summary>
    /// The duration of a lock. It is longer than most openings take. A slower owner is safe without the lock. A dead owner delays others
    /// only for this time.
    /// </summary>
    static readonly TimeSpan LockDuration = TimeSpan.FromMilliseconds(500);

    const int BatchSize = 500;

    readonly IDatabase _redis = connection.GetDatabase();

    /// <summary>Schedules one transition. Repeated and late calls are safe.</summary>
    public Task PlanAsync(ScheduledTransition planned) => PlanAsync([planned], "", 0);

    /// <summary>Schedules all transitions of the database and marks the schedule as complete.</summary>
    public async Task RestoreAsync(IReadOnlyList<ScheduledTransition> all)
    {
        if (servers.IncarnationOf(Schedule) is not { } server) return;
        foreach (var some in all.Chunk(BatchSize)) await PlanAsync(some, "", 0);
        await PlanAsync([], server, all.Count);
    }

    /// <summary>Removes a transition unless a newer version has scheduled it again.</summary>
    public Task RemoveAsync(EventTransition transition, int version) =>
        Unplan.RunAsync(_redis, [Schedule, Pending, TimerOf(transition)], [transition.ToString(), version], Deadline);

    /// <summary>Reads the transitions that are due by Redis' clock.</summary>
    /// <returns>Whole: false if the schedule was lost or belongs to another server, null if the server is unknown. Next: the time until
    /// the next transition that is not due, or null if there is none.</returns>
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

    /// <summary>Locks a transition. Returns the token of the lock, or null if another process has it.</summary>
    public async Task<string?> TryLockAsync(EventTransition transition)
    {
        var token = Guid.NewGuid().ToString("N");
        return await _redis.StringSetAsync(LockOf(transition), token, LockDuration, When.NotExists).WaitAsync(Deadline) ? token : null;
    }

    /// <summary>Releases a lock if it still belongs to the token.</summary>
    public Task UnlockAsync(EventTransition transition, string token) => Unlock.RunAsync(_redis, [LockOf(transition)], [token], Deadline);

    Task<RedisResult> PlanAsync(IReadOnlyList<ScheduledTransition> planned, string server, int whole) =>
        Plan.RunAsync(_redis,
            [Schedule, Pending, .. planned.Select(p => TimerOf(p.Transition))],
            // Rounded up, because the database refuses a transition that is a fraction of a millisecond early.
            [server, whole, .. planned.SelectMany(p => new RedisValue[] { p.Transition.ToString(), (long)Math.Ceiling(p.Wait.TotalMilliseconds), p.Version })],
            Deadline);

    static RedisKey TimerOf(EventTransition transition) => TimerPrefix + transition;

    static RedisKey LockOf(EventTransition transition) => "{events}:lock:" + transition;
}
