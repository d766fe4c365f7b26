using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Diagnostics;
using Commerce.Core.Redis;
using StackExchange.Redis;

namespace Commerce.Core.Coupons;

/// <summary>The gate's verdict for one user.</summary>
public enum GateVerdict
{
    /// <summary>The gate is not loaded, or was loaded under another incarnation of the server.</summary>
    Closed = -1,
    /// <summary>The coupon is issued to this user.</summary>
    Accepted = 0,
    /// <summary>No stock is left.</summary>
    SoldOut = 1,
    /// <summary>The user already has the coupon.</summary>
    AlreadyIssued = 2,
    /// <summary>The coupon's window has not begun.</summary>
    NotStarted = 3,
    /// <summary>The coupon's window is over, or the coupon is cancelled.</summary>
    Ended = 4,
    /// <summary>The user already has the coupon, but its row may not be saved yet.</summary>
    AlreadyPending = 5,
}

/// <summary>The gate's result. An open gate also sets the time (ms since 1970) and its epoch.</summary>
public readonly record struct GateResult(GateVerdict Verdict, long AcceptedAt = 0, int Epoch = 0);

/// <summary>
/// The gates of all coupons in Redis. Only the gate decides who comes first. Redis may lose everything at any time. The gate is then
/// closed until the rebuilder has restored it from the database.
/// </summary>
public sealed class CouponGate(IConnectionMultiplexer connection, RedisServers servers, TimeProvider clock)
{
    static readonly RedisScript Issue = RedisScript.Load("Coupons/issue.lua");
    static readonly RedisScript Open = RedisScript.Load("Coupons/open.lua");
    static readonly RedisScript Close = RedisScript.Load("Coupons/close.lua");
    static readonly RedisScript Sync = RedisScript.Load("Coupons/sync.lua");
    static readonly RedisScript Refuse = RedisScript.Load("Coupons/refuse.lua");
    static readonly RedisScript Sweep = RedisScript.Load("Coupons/sweep.lua");

    /// <summary>The timeout of a call. A later response is ignored, and the caller gets 503.</summary>
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(1);

    static readonly ConcurrentDictionary<long, RedisKey[]> Keys = new();

    readonly IDatabase _redis = connection.GetDatabase();

    readonly ConcurrentDictionary<long, CouponIssueBatcher> _batchers = new();

    /// <summary>How long Redis keeps the users of an ended coupon.</summary>
    static readonly TimeSpan UserRetention = TimeSpan.FromDays(7);

    /// <summary>The consumer gets this time to save an acceptance before it is swept.</summary>
    public static TimeSpan SweepAfter { get; } = TimeSpan.FromSeconds(5);

    /// <summary>Requests one coupon for one user, batched with concurrent requests for the same coupon.</summary>
    /// <exception cref="RedisException">Redis is unavailable; the script may have run.</exception>
    /// <exception cref="TimeoutException">Redis did not respond; the script may have run.</exception>
    public Task<GateResult> AcceptAsync(long couponId, string userId)
    {
        var batcher = _batchers.GetOrAdd(couponId, static (id, gate) => new(users => gate.AcceptAsync(id, users)), this);
        return CommerceTelemetry.Source.HasListeners() ? EnqueueTracedAsync(batcher, userId) : batcher.EnqueueAsync(userId);
    }

    static async Task<GateResult> EnqueueTracedAsync(CouponIssueBatcher batcher, string userId)
    {
        using var span = CommerceTelemetry.Source.StartActivity("EVALSHA issue", ActivityKind.Client);
        span?.SetTag("db.system.name", "redis").SetTag("db.operation.name", "EVALSHA").SetTag("db.stored_procedure.name", "issue.lua");
        var answer = await batcher.EnqueueAsync(userId);
        span?.SetTag("commerce.gate.verdict", answer.Verdict.ToString());
        return answer;
    }

    /// <summary>Requests a coupon for several users. The results are in the same order.</summary>
    async Task<IReadOnlyList<GateResult>> AcceptAsync(long couponId, IReadOnlyList<string> userIds)
    {
        var keys = KeysOf(couponId);
        var answers = new GateResult[userIds.Count];
        if (servers.IncarnationOf(keys[0]) is not { } server || await IssueAsync(keys, server, userIds) is not [var at, var epoch, var verdicts])
        {
            Array.Fill(answers, new(GateVerdict.Closed));
            return answers;
        }

        var (acceptedAt, of) = ((long)at, (int)epoch);
        var digits = (string)verdicts!;
        for (var i = 0; i < answers.Length; i++) answers[i] = new((GateVerdict)(digits[i] - '0'), acceptedAt, of);
        return answers;
    }

    async Task<RedisResult[]> IssueAsync(RedisKey[] keys, string server, IReadOnlyList<string> userIds)
    {
        var arguments = new RedisValue[2 + userIds.Count];
        arguments[0] = server;
        arguments[1] = (long)SweepAfter.TotalMilliseconds;
        for (var i = 0; i < userIds.Count; i++) arguments[2 + i] = userIds[i];
        return (RedisResult[])(await Issue.RunAsync(_redis, keys, arguments, Deadline))!;
    }

    /// <summary>
    /// Finds the verdict that every new user gets. Returns null if it depends on the user or the time, or if the gate is closed.
    /// </summary>
    public async Task<GateRefusal?> FindRefusalAsync(long couponId)
    {
        var keys = KeysOf(couponId);
        if (servers.IncarnationOf(keys[0]) is not { } server) return null;
        return (RedisResult[])(await Refuse.RunAsync(_redis, keys, [server], Deadline))! is [var verdict, var epoch, var version, var users]
            ? new((GateVerdict)(int)verdict, (int)epoch, (int)version, (long)users)
            : null;
    }

    /// <summary>Lists the users who have the coupon. It reads pages of a thousand, so that other commands need not wait long.</summary>
    public async Task<FrozenSet<string>> ListUsersAsync(long couponId)
    {
        var users = new HashSet<string>(StringComparer.Ordinal);
        var cursor = "0";
        do
        {
            var page = (RedisResult[])(await _redis.ExecuteAsync("HSCAN", KeysOf(couponId)[1], cursor, "COUNT", 1000).WaitAsync(Deadline))!;
            cursor = (string)page[0]!;
            var entries = (RedisResult[])page[1]!;
            for (var i = 0; i < entries.Length; i += 2) users.Add((string)entries[i]!);
        }
        while (cursor != "0");
        return users.ToFrozenSet(StringComparer.Ordinal);
    }

    /// <summary>
    /// Opens a closed gate. Returns false if it is already open, if a newer epoch closed it, or if it remembers other users than the
    /// <paramref name="users"/> for which the stock was counted.
    /// </summary>
    /// <param name="stock">The remaining stock.</param>
    /// <param name="users">The number of users that were passed to <see cref="RememberUsersAsync"/>.</param>
    public async Task<bool> OpenAsync(Coupon coupon, int epoch, int stock, int users)
    {
        var keys = KeysOf(coupon.Id);
        if (servers.IncarnationOf(keys[0]) is not { } server) return false;
        var result = await Open.RunAsync(_redis, keys,
            [epoch, coupon.Version, stock, coupon.TotalQuantity, Milliseconds(coupon.StartsAt), Milliseconds(coupon.EndsAt), coupon.Status, server, users],
            Deadline);
        return (int)result == 1;
    }

    /// <summary>
    /// Closes a gate that has an older epoch or belongs to another server than the current one, and prevents its opening under an older
    /// epoch. Returns false if the gate stays open under this epoch or a newer one, or if the server is unknown.
    /// </summary>
    public async Task<bool> CloseStaleAsync(long couponId, int epoch)
    {
        var keys = KeysOf(couponId);
        if (servers.IncarnationOf(keys[0]) is not { } server) return false;
        return (int)await Close.RunAsync(_redis, keys, [epoch, server], Deadline) == 1;
    }

    /// <summary>Updates an open gate from its coupon. Repeated and late calls are safe.</summary>
    public async Task<bool> SyncAsync(Coupon coupon) =>
        (int)await Sync.RunAsync(_redis, KeysOf(coupon.Id),
            [coupon.Version, coupon.TotalQuantity, Milliseconds(coupon.StartsAt), Milliseconds(coupon.EndsAt), coupon.Status], Deadline) == 1;

    /// <summary>
    /// Lists acceptances whose row was not confirmed in time, at most <paramref name="limit"/>. Also returns the gate's epoch (0:
    /// closed).
    /// </summary>
    public async Task<(int Epoch, IReadOnlyList<(string UserId, long AcceptedAt)> Due)> SweepAsync(long couponId, int limit)
    {
        var answer = (RedisResult[])(await Sweep.RunAsync(_redis, KeysOf(couponId), [limit, (long)SweepAfter.TotalMilliseconds], Deadline))!;
        var due = new List<(string, long)>((answer.Length - 1) / 2);
        for (var i = 1; i < answer.Length; i += 2) due.Add(((string)answer[i]!, (long)answer[i + 1]));
        return ((int)answer[0], due);
    }

    /// <summary>Removes pending entries whose rows are committed.</summary>
    public Task AcknowledgeAsync(long couponId, IEnumerable<string> userIds) =>
        _redis.SortedSetRemoveAsync(KeysOf(couponId)[2], [.. userIds.Select(u => (RedisValue)u)]).WaitAsync(Deadline);

    /// <summary>Returns whether the gate is open, and when it accepted this user (ms since 1970; null if it did not).</summary>
    public async Task<(bool Open, long? AcceptedAt)> FindAsync(long couponId, string userId)
    {
        var keys = KeysOf(couponId);
        if (servers.IncarnationOf(keys[0]) is not { } server) return (false, null);
        var by = _redis.HashGetAsync(keys[0], "server");
        var at = _redis.HashGetAsync(keys[1], userId);
        await Task.WhenAll(by, at).WaitAsync(Deadline);
        return ((await by) == server, (await at) is { IsNull: false } value ? (long)value : null);
    }

    /// <summary>Returns for each coupon when this user was accepted (ms since 1970), or null if no acceptance is pending.</summary>
    public async Task<IReadOnlyList<long?>> FindPendingAsync(IReadOnlyList<long> couponIds, string userId)
    {
        var pending = couponIds.Select(id => _redis.SortedSetScoreAsync(KeysOf(id)[2], userId)).ToArray();
        await Task.WhenAll(pending).WaitAsync(Deadline);
        var accepted = new long?[pending.Length];
        for (var i = 0; i < pending.Length; i++)
        {
            if (await pending[i] is null) continue;
            if (await _redis.HashGetAsync(KeysOf(couponIds[i])[1], userId).WaitAsync(Deadline) is { IsNull: false } at) accepted[i] = (long)at;
        }

        return accepted;
    }

    /// <summary>
    /// Whether the incarnation of the Redis server with this gate is known. If not, every request is refused and no gate can be opened.
    /// </summary>
    public bool KnowsServerOf(long couponId) => servers.IncarnationOf(KeysOf(couponId)[0]) is not null;

    /// <summary>Returns the state of each gate, or null for a closed one.</summary>
    public async Task<IReadOnlyList<GateState?>> InspectAsync(IReadOnlyList<long> couponIds)
    {
        RedisValue[] fields = ["epoch", "version", "server", "stock"];
        var reads = couponIds.Select(id => _redis.HashGetAsync(KeysOf(id)[0], fields)).ToArray();
        await Task.WhenAll(reads).WaitAsync(Deadline);
        var states = new List<GateState?>(reads.Length);
        for (var i = 0; i < reads.Length; i++)
        {
            var v = await reads[i];
            var server = servers.IncarnationOf(KeysOf(couponIds[i])[0]);
            states.Add(v[0].IsNull ? null : new GateState((int)v[0], (int)v[1], server is null ? null : server == v[2], (int)v[3]));
        }

        return states;
    }

    /// <summary>Counts the users that the gate remembers, and the pending ones among them.</summary>
    public async Task<(long Users, long Pending)> CountAsync(long couponId)
    {
        var keys = KeysOf(couponId);
        var users = _redis.HashLengthAsync(keys[1]);
        var pending = _redis.SortedSetLengthAsync(keys[2]);
        await Task.WhenAll(users, pending).WaitAsync(Deadline);
        return (await users, await pending);
    }

    /// <summary>Lists all pending entries with the time of their acceptance (ms since 1970).</summary>
    public async Task<IReadOnlyList<(string UserId, long AcceptedAt)>> ListPendingAsync(long couponId)
    {
        var keys = KeysOf(couponId);
        var users = await _redis.SortedSetRangeByRankAsync(keys[2]).WaitAsync(Deadline);
        if (users.Length == 0) return [];
        var times = await _redis.HashGetAsync(keys[1], users).WaitAsync(Deadline);
        var unknown = clock.GetUtcNow().ToUnixTimeMilliseconds();
        return [.. users.Zip(times, (user, at) => ((string)user!, at.IsNull ? unknown : (long)at))];
    }

    /// <summary>Lets the gate of an ended coupon expire. Pending entries stay, because their rows are not saved yet.</summary>
    public Task ForgetLaterAsync(long couponId) =>
        Task.WhenAll(KeysOf(couponId)[..2].Select(key => _redis.KeyExpireAsync(key, UserRetention))).WaitAsync(Deadline);

    /// <summary>Removes all users of a closed gate.</summary>
    public Task ForgetUsersAsync(long couponId) => _redis.KeyDeleteAsync(KeysOf(couponId)[1]).WaitAsync(Deadline);

    /// <summary>Adds users from the database to a closed gate.</summary>
    public Task RememberUsersAsync(long couponId, IEnumerable<(string UserId, DateTime IssuedAt)> issues) =>
        _redis.HashSetAsync(KeysOf(couponId)[1], [.. issues.Select(i => new HashEntry(i.UserId, Milliseconds(i.IssuedAt)))]).WaitAsync(Deadline);

    static RedisKey[] KeysOf(long couponId) => Keys.GetOrAdd(couponId, id => new CouponKeys(id).All);

    static long Milliseconds(DateTime utc) => new DateTimeOffset(utc, TimeSpan.Zero).ToUnixTimeMilliseconds();
}

/// <summary>The state of a gate.</summary>
/// <param name="Current">Whether it was opened on the current incarnation of Redis; null if that is unknown.</param>
/// <param name="Stock">The remaining stock.</param>
public sealed record GateState(int Epoch, int Version, bool? Current, int Stock);
