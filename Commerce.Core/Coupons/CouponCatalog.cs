using System.Collections.Concurrent;

namespace Commerce.Core.Coupons;

/// <summary>
/// Caches coupons, and the absence of coupons, for one second. The gate checks window and stock. While the database is unavailable,
/// the last known state is used.
/// </summary>
public sealed class CouponCatalog(CouponRepository repository, TimeProvider clock)
{
    /// <summary>
    /// The maximum number of entries. Unknown ids are cached too, so a client that invents ids must not fill the memory.
    /// </summary>
    const int MaxEntries = 10_000;

    readonly ConcurrentDictionary<long, Entry> _entries = new();
    readonly ConcurrentDictionary<long, Lazy<Task<Coupon?>>> _loads = new();

    /// <summary>The maximum age of an entry while the database is available.</summary>
    public static TimeSpan MaxAge { get; } = TimeSpan.FromSeconds(1);

    /// <summary>Finds a coupon, as it was at most one second ago. Returns null if it does not exist.</summary>
    public ValueTask<Coupon?> FindAsync(long id, CancellationToken cancellationToken)
    {
        // One caller refreshes the entry. The others use the known value.
        if (_entries.TryGetValue(id, out var entry) && (clock.GetElapsedTime(entry.At) < MaxAge || !entry.TryRefresh())) return new(entry.Coupon);
        // Without a known value, all callers share one lookup. Cancelling one caller does not cancel it.
        return new(_loads.GetOrAdd(id, id => new(() => LoadAsync(id))).Value.WaitAsync(cancellationToken));
    }

    async Task<Coupon?> LoadAsync(long id)
    {
        try
        {
            return Remember(id, await repository.FindAsync(id, CancellationToken.None));
        }
        catch (Exception) when (_entries.TryGetValue(id, out var entry))
        {
            if (entry.Coupon is not null) return Remember(id, entry.Coupon);
            _entries.TryRemove(id, out _);
            throw;
        }
        finally
        {
            _loads.TryRemove(id, out _);
        }
    }

    Coupon? Remember(long id, Coupon? coupon)
    {
        if (_entries.Count > MaxEntries)
            foreach (var (unknown, _) in _entries.Where(e => e.Value.Coupon is null)) _entries.TryRemove(unknown, out _);
        if (_entries.Count > MaxEntries) _entries.Clear();
        _entries[id] = new Entry(coupon, clock.GetTimestamp());
        return coupon;
    }

    sealed class Entry(Coupon? coupon, long at)
    {
        int _refreshing;

        public Coupon? Coupon => coupon;

        public long At => at;

        public bool TryRefresh() => Interlocked.Exchange(ref _refreshing, 1) == 0;
    }
}
