using System.Collections.Concurrent;
using System.Collections.Frozen;
using Commerce.Core.Background;
using Commerce.ServiceDefaults;
using Microsoft.Extensions.Logging;

namespace Commerce.Core.Coupons;

/// <summary>
/// Coupons of which nobody gets one any more, as the gate said a moment ago. Most of a crowd comes after the last coupon is gone; this
/// process answers them itself. It asks the gate ten times a second whether that still holds, and where it does not hear so, it forgets.
/// </summary>
public sealed class ClosedSales(CouponGate gate, TimeProvider clock, ILogger<ClosedSales> logger) : PeriodicWorker(clock, logger)
{
    /// <summary>What was confirmed longer ago is not believed: added stock is given out within a second.</summary>
    static readonly TimeSpan Believed = TimeSpan.FromMilliseconds(500);

    /// <summary>A sale that nobody asked for in this time is forgotten.</summary>
    static readonly TimeSpan Wanted = TimeSpan.FromSeconds(10);

    /// <summary>Users of all these coupons together; about 100 bytes each. Beyond it the gate is asked as for any other coupon.</summary>
    const int MostUsers = 500_000;
    const int MostSales = 100;

    readonly ConcurrentDictionary<long, Sale> _sales = new();

    /// <summary>The gate's answer to this user, where it is known.</summary>
    public GateVerdict? Find(long couponId, string userId)
    {
        if (!_sales.TryGetValue(couponId, out var sale)) return null;
        var now = Clock.GetTimestamp();
        sale.WantedAt = now;
        if (sale.Known is not { } known || Clock.GetElapsedTime(known.ConfirmedAt, now) > Believed) return null;
        return known.Users.Contains(userId) ? GateVerdict.AlreadyIssued : known.Refusal.Verdict;
    }

    /// <summary>Told what the gate said: a sale that may be over is looked at.</summary>
    public void Notice(long couponId, GateVerdict verdict)
    {
        if (verdict is GateVerdict.SoldOut or GateVerdict.Ended && !_sales.ContainsKey(couponId) && _sales.Count < MostSales)
            _sales.TryAdd(couponId, new Sale { WantedAt = Clock.GetTimestamp() });
    }

    /// <inheritdoc/>
    protected override TimeSpan Interval => TimeSpan.FromMilliseconds(100);

    /// <inheritdoc/>
    protected override Task RunOnceAsync(CancellationToken stoppingToken) =>
        _sales.IsEmpty ? Task.CompletedTask : Task.WhenAll(_sales.Select(s => KeepAsync(s.Key, s.Value)));

    async Task KeepAsync(long couponId, Sale sale)
    {
        var asked = Clock.GetTimestamp();
        try
        {
            if (Clock.GetElapsedTime(sale.WantedAt, asked) > Wanted || await gate.FindRefusalAsync(couponId) is not { } refusal)
            {
                _sales.TryRemove(couponId, out _);
                return;
            }

            if (sale.Known is { } known && refusal == known.Refusal)
            {
                sale.Known = known with { ConfirmedAt = asked };
                return;
            }

            sale.Known = null;
            if (refusal.Users + _sales.Values.Sum(s => (long)(s.Known?.Users.Count ?? 0)) > MostUsers) return;
            var users = await gate.ListUsersAsync(couponId);
            // The same before and after: nobody was added in between.
            asked = Clock.GetTimestamp();
            if (users.Count == refusal.Users && await gate.FindRefusalAsync(couponId) == refusal) sale.Known = new(users, refusal, asked);
        }
        catch (Exception e) when (DependencyFaults.Is(e))
        {
            // Not confirmed, so it is not believed for long.
        }
    }

    sealed class Sale
    {
        long _wantedAt;

        public long WantedAt { get => Volatile.Read(ref _wantedAt); set => Volatile.Write(ref _wantedAt, value); }

        public volatile Knowledge? Known;
    }

    /// <summary>What the gate said at one moment.</summary>
    sealed record Knowledge(FrozenSet<string> Users, GateRefusal Refusal, long ConfirmedAt);
}

/// <summary>The gate refuses everybody new.</summary>
/// <param name="Verdict"><see cref="GateVerdict.SoldOut"/> or <see cref="GateVerdict.Ended"/>.</param>
/// <param name="Users">How many have the coupon.</param>
public sealed record GateRefusal(GateVerdict Verdict, int Epoch, int Version, long Users);
