using System.Collections.Concurrent;
using System.Collections.Frozen;
using System.Diagnostics;
using Commerce.Core.Redis;
using Commerce.ServiceDefaults;
using StackExchange.Redis;

namespace Commerce.Core.Coupons;

/// <summary>What the gate said to one user.</summary>
public enum GateVerdict
{
    /// <summary>Not loaded, or loaded under another incarnation of the server.</summary>
    Closed = -1,
    /// <summary>The coupon is theirs.</summary>
    Accepted = 0,
    /// <summary>Nothing left.</summary>
    SoldOut = 1,
    /// <summary>They have it already.</summary>
    AlreadyIssued = 2,
    /// <summary>Before its window.</summary>
    NotStarted = 3,
    /// <summary>After its window, or cancelled.</summary>
    Ended = 4,
    /// <summary>They have it already, but its row is not known to be saved yet.</summary>
    AlreadyPending = 5,
}

/// <summary>The gate's answer; time (ms since 1970) and epoch are set where it was open.</summary>
public readonly record struct GateResult(GateVerdict Verdict, long AcceptedAt = 0, int Epoch = 0);

/// <summary>
/// The gate of every coupon in Redis: who comes first is decided here and nowhere else. It may lose everything at any moment; then it is
/// closed until the keeper has rebuilt it from the database.
/// </summary>
public sealed class CouponGate(IConnectionMultiplexer connection, RedisServers servers, TimeProvider clock)
{
    static readonly RedisScript Issue = RedisScript.Load("Coupons/issue.lua");
    static readonly RedisScript Open = RedisScript.Load("Coupons/open.lua");
    static readonly RedisScript Close = RedisScript.Load("Coupons/close.lua");
    static readonly RedisScript Sync = RedisScript.Load("Coupons/sync.lua");
    static readonly RedisScript Refuse = RedisScript.Load("Coupons/refuse.lua");
    static readonly RedisScript Sweep = RedisScript.Load("Coupons/sweep.lua");

    /// <summary>No answer in this time counts as no answer: the caller is told to come again.</summary>
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(1);

    static readonly ConcurrentDictionary<long, RedisKey[]> Keys = new();

    readonly IDatabase _redis = connection.GetDatabase();

    readonly ConcurrentDictionary<long, CouponIssueBatcher> _batchers = new();

    /// <summary>How long Redis remembers who has a coupon that is over.</summary>
    static readonly TimeSpan UserRetention = TimeSpan.FromDays(7);

    /// <summary>A pending entry that is younger is left to the consumer.</summary>
    public static TimeSpan SweepAfter { get; } = TimeSpan.FromSeconds(5);

    /// <summary>Asks for one coupon for one user, together with whoever asks for the same coupon in the same moment.</summary>
    /// <exception cref="RedisException">Redis is out of reach; the script may have run.</exception>
    /// <exception cref="TimeoutException">Redis did not answer; the script may have run.</exception>
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

    /// <summary>Asks for several users at once; each has an answer, in their order.</summary>
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

    /// <summary>What the gate says to everybody new; null where that depends on who asks and when, or the gate is closed.</summary>
    public async Task<GateRefusal?> FindRefusalAsync(long couponId)
    {
        var keys = KeysOf(couponId);
        if (servers.IncarnationOf(keys[0]) is not { } server) return null;
        return (RedisResult[])(await Refuse.RunAsync(_redis, keys, [server], Deadline))! is [var verdict, var epoch, var version, var users]
            ? new((GateVerdict)(int)verdict, (int)epoch, (int)version, (long)users)
            : null;
    }

    /// <summary>Who has the coupon, a thousand at a time so that nobody else waits for long.</summary>
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
    /// Opens a closed gate. False where it is open already, where a newer epoch closed it, or where it remembers others than those
    /// <paramref name="users"/> that the stock was counted without.
    /// </summary>
    /// <param name="stock">How many are left.</param>
    /// <param name="users">How many users the gate was told of by <see cref="RememberUsersAsync"/>.</param>
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
    /// Closes a gate that is older than <paramref name="epoch"/>, or was opened by another server than the one that answers now, and keeps it from
    /// being opened under an older epoch. False where it is not closed for this epoch: it is open under it or a newer one, or unknown.
    /// </summary>
    public async Task<bool> CloseStaleAsync(long couponId, int epoch)
    {
        var keys = KeysOf(couponId);
        if (servers.IncarnationOf(keys[0]) is not { } server) return false;
        return (int)await Close.RunAsync(_redis, keys, [epoch, server], Deadline) == 1;
    }

    /// <summary>Tells an open gate what the coupon is now. Safe to repeat and to come late.</summary>
    public async Task<bool> SyncAsync(Coupon coupon) =>
        (int)await Sync.RunAsync(_redis, KeysOf(coupon.Id),
            [coupon.Version, coupon.TotalQuantity, Milliseconds(coupon.StartsAt), Milliseconds(coupon.EndsAt), coupon.Status], Deadline) == 1;

    /// <summary>Acceptances whose row was not seen committed in time, at most <paramref name="limit"/>, and the gate's epoch (0: closed).</summary>
    public async Task<(int Epoch, IReadOnlyList<(string UserId, long AcceptedAt)> Due)> SweepAsync(long couponId, int limit)
    {
        var answer = (RedisResult[])(await Sweep.RunAsync(_redis, KeysOf(couponId), [limit, (long)SweepAfter.TotalMilliseconds], Deadline))!;
        var due = new List<(string, long)>((answer.Length - 1) / 2);
        for (var i = 1; i < answer.Length; i += 2) due.Add(((string)answer[i]!, (long)answer[i + 1]));
        return ((int)answer[0], due);
    }

    /// <summary>Forgets pending entries whose rows are committed.</summary>
    public Task AcknowledgeAsync(long couponId, IEnumerable<string> userIds) =>
        _redis.SortedSetRemoveAsync(KeysOf(couponId)[2], [.. userIds.Select(u => (RedisValue)u)]).WaitAsync(Deadline);

    /// <summary>Whether the gate is open, and when it accepted this user (ms since 1970); null where it did not.</summary>
    public async Task<(bool Open, long? AcceptedAt)> FindAsync(long couponId, string userId)
    {
        var keys = KeysOf(couponId);
        if (servers.IncarnationOf(keys[0]) is not { } server) return (false, null);
        var by = _redis.HashGetAsync(keys[0], "server");
        var at = _redis.HashGetAsync(keys[1], userId);
        await Task.WhenAll(by, at).WaitAsync(Deadline);
        return ((await by) == server, (await at) is { IsNull: false } value ? (long)value : null);
    }

    /// <summary>Of each coupon: when it was accepted for this user (ms since 1970), where its row is not known to be saved yet; else null.</summary>
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
    /// Whether it is known which incarnation of Redis has this coupon's gate; without that everything is refused, and nothing can be opened.
    /// </summary>
    public bool KnowsServerOf(long couponId) => servers.IncarnationOf(KeysOf(couponId)[0]) is not null;

    /// <summary>What the gate holds of each coupon: its epoch, version, server and stock; null where it is closed.</summary>
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

    /// <summary>How many users the gate remembers, and how many of them are pending.</summary>
    public async Task<(long Users, long Pending)> CountAsync(long couponId)
    {
        var keys = KeysOf(couponId);
        var users = _redis.HashLengthAsync(keys[1]);
        var pending = _redis.SortedSetLengthAsync(keys[2]);
        await Task.WhenAll(users, pending).WaitAsync(Deadline);
        return (await users, await pending);
    }

    /// <summary>All pending entries, due or not, and when they were accepted.</summary>
    public async Task<IReadOnlyList<(string UserId, long AcceptedAt)>> ListPendingAsync(long couponId)
    {
        var keys = KeysOf(couponId);
        var users = await _redis.SortedSetRangeByRankAsync(keys[2]).WaitAsync(Deadline);
        if (users.Length == 0) return [];
        var times = await _redis.HashGetAsync(keys[1], users).WaitAsync(Deadline);
        var unknown = clock.GetUtcNow().ToUnixTimeMilliseconds();
        return [.. users.Zip(times, (user, at) => ((string)user!, at.IsNull ? unknown : (long)at))];
    }

    /// <summary>Lets Redis forget a coupon that is over, in a while. What is pending stays: it is owed.</summary>
    public Task ForgetLaterAsync(long couponId) =>
        Task.WhenAll(KeysOf(couponId)[..2].Select(key => _redis.KeyExpireAsync(key, UserRetention))).WaitAsync(Deadline);

    /// <summary>While the gate is closed: forgets who was accepted.</summary>
    public Task ForgetUsersAsync(long couponId) => _redis.KeyDeleteAsync(KeysOf(couponId)[1]).WaitAsync(Deadline);

    /// <summary>While the gate is closed: remembers who has the coupon, from the database.</summary>
    public Task RememberUsersAsync(long couponId, IEnumerable<(string UserId, DateTime IssuedAt)> issues) =>
        _redis.HashSetAsync(KeysOf(couponId)[1], [.. issues.Select(i => new HashEntry(i.UserId, Milliseconds(i.IssuedAt)))]).WaitAsync(Deadline);

    static RedisKey[] KeysOf(long couponId) => Keys.GetOrAdd(couponId, id => new CouponKeys(id).All);

    static long Milliseconds(DateTime utc) => new DateTimeOffset(utc, TimeSpan.Zero).ToUnixTimeMilliseconds();
}

/// <summary>What the gate of a coupon holds.</summary>
/// <param name="Current">Whether it was opened on the incarnation of Redis that answers now; null where that is not known.</param>
/// <param name="Stock">How many are left.</param>
public sealed record GateState(int Epoch, int Version, bool? Current, int Stock);
