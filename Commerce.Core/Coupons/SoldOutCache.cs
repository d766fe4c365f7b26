using System.Collections.Concurrent;
using System.Collections.Frozen;
using Commerce.Core.Background;

namespace Commerce.Core.Coupons;

/// <summary>
/// Caches which coupons are sold out or over. Most users of a rush arrive after the last coupon, and this process answers them
/// without Redis. It asks the gate for changes ten times a second. A coupon that is not confirmed leaves the cache.
/// </summary>
public sealed class SoldOutCache(CouponGate gate, TimeProvider clock, ILogger<SoldOutCache> logger) : PeriodicWorker(clock, logger)
{
    /// <summary>The maximum age of a confirmation. It also limits how late added stock is issued.</summary>
    static readonly TimeSpan ConfirmationMaxAge = TimeSpan.FromMilliseconds(500);

    /// <summary>A coupon without requests for this long is forgotten.</summary>
    static readonly TimeSpan IdleTimeout = TimeSpan.FromSeconds(10);

    /// <summary>The maximum number of users of all cached coupons. Each takes about 100 bytes. Beyond it the gate answers.</summary>
    const int MaxUsers = 500_000;
    const int MaxCoupons = 100;

    readonly ConcurrentDictionary<long, Entry> _entries = new();

    /// <summary>Finds the gate's verdict for this user, if it is cached.</summary>
    public GateVerdict? Find(long couponId, string userId)
    {
        if (!_entries.TryGetValue(couponId, out var entry)) return null;
        var now = Clock.GetTimestamp();
        entry.RequestedAt = now;
        if (entry.Known is not { } known || Clock.GetElapsedTime(known.ConfirmedAt, now) > ConfirmationMaxAge) return null;
        return known.Users.Contains(userId) ? GateVerdict.AlreadyIssued : known.Refusal.Verdict;
    }

    /// <summary>Observes a verdict of the gate. A coupon that may be over enters the cache.</summary>
    public void Observe(long couponId, GateVerdict verdict)
    {
        if (verdict is GateVerdict.SoldOut or GateVerdict.Ended && !_entries.ContainsKey(couponId) && _entries.Count < MaxCoupons)
            _entries.TryAdd(couponId, new Entry { RequestedAt = Clock.GetTimestamp() });
    }

    /// <inheritdoc/>
    protected override TimeSpan Interval => TimeSpan.FromMilliseconds(100);

    /// <inheritdoc/>
    protected override Task RunOnceAsync(CancellationToken stoppingToken) =>
        // If Redis is unavailable, entries expire soon, because they are not confirmed.
        _entries.IsEmpty ? Task.CompletedTask : Task.WhenAll(_entries.Select(s => TransientFaults.TryAsync(() => RefreshAsync(s.Key, s.Value))));

    async Task RefreshAsync(long couponId, Entry entry)
    {
        var asked = Clock.GetTimestamp();
        if (Clock.GetElapsedTime(entry.RequestedAt, asked) > IdleTimeout || await gate.FindRefusalAsync(couponId) is not { } refusal)
        {
            _entries.TryRemove(couponId, out _);
            return;
        }

        if (entry.Known is { } known && refusal == known.Refusal)
        {
            entry.Known = known with { ConfirmedAt = asked };
            return;
        }

        entry.Known = null;
        if (refusal.Users + _entries.Values.Sum(s => (long)(s.Known?.Users.Count ?? 0)) > MaxUsers) return;
        var users = await gate.ListUsersAsync(couponId);
        // The number of users is the same before and after, so no user was added in between.
        asked = Clock.GetTimestamp();
        if (users.Count == refusal.Users && await gate.FindRefusalAsync(couponId) == refusal) entry.Known = new(users, refusal, asked);
    }

    sealed class Entry
    {
        long _requestedAt;

        public long RequestedAt { get => Volatile.Read(ref _requestedAt); set => Volatile.Write(ref _requestedAt, value); }

        public volatile Snapshot? Known;
    }

    /// <summary>The gate's state at one time.</summary>
    sealed record Snapshot(FrozenSet<string> Users, GateRefusal Refusal, long ConfirmedAt);
}

/// <summary>The refusal that every new user gets from the gate.</summary>
/// <param name="Verdict"><see cref="GateVerdict.SoldOut"/> or <see cref="GateVerdict.Ended"/>.</param>
/// <param name="Users">The number of users who have the coupon.</param>
public sealed record GateRefusal(GateVerdict Verdict, int Epoch, int Version, long Users);
