using System.Collections.Concurrent;
using Commerce.ServiceDefaults;

namespace Commerce.Core.Coupons;

/// <summary>
/// Which coupons exist, from the ledger, remembered for a second. Only existence is asked here: the window and the stock are the gate's.
/// While the ledger is away, what was known goes on to be true.
/// </summary>
public sealed class CouponCatalog(CouponLedger ledger, TimeProvider clock)
{
    static readonly TimeSpan Fresh = TimeSpan.FromSeconds(1);

    /// <summary>Unknown ids are remembered too, so the number is bounded against callers who make ids up.</summary>
    const int MostEntries = 10_000;

    readonly ConcurrentDictionary<long, Entry> _entries = new();

    /// <summary>The coupon as it was at most a second ago; null where there is none.</summary>
    public ValueTask<Coupon?> FindAsync(long id, CancellationToken cancellationToken)
    {
        if (_entries.TryGetValue(id, out var entry) && clock.GetElapsedTime(entry.At) < Fresh) return new(entry.Coupon);
        return new(RefreshAsync(id, entry, cancellationToken));
    }

    async Task<Coupon?> RefreshAsync(long id, Entry? stale, CancellationToken cancellationToken)
    {
        // One caller asks the ledger; the others use what is known, or wait where nothing is.
        if (stale is not null)
        {
            if (!stale.TryRefresh()) return stale.Coupon;
        }
        else if (_entries.Count > MostEntries)
        {
            _entries.Clear();
        }

        try
        {
            var coupon = await ledger.FindAsync(id, cancellationToken);
            _entries[id] = new Entry(coupon, clock.GetTimestamp());
            return coupon;
        }
        catch (Exception e) when (stale?.Coupon is { } known && DependencyFaults.Is(e))
        {
            _entries[id] = new Entry(known, clock.GetTimestamp());
            return known;
        }
        catch
        {
            if (stale is not null) _entries.TryRemove(id, out _);
            throw;
        }
    }

    sealed class Entry(Coupon? coupon, long at)
    {
        int _refreshing;

        public Coupon? Coupon => coupon;

        public long At => at;

        public bool TryRefresh() => Interlocked.Exchange(ref _refreshing, 1) == 0;
    }
}
