using System.Collections.Concurrent;

namespace Commerce.Core.Coupons;

/// <summary>
/// Which coupons exist, from the database, remembered for a second. Only existence is asked here: the window and the stock are the gate's.
/// While the database is away, what was known goes on to be true.
/// </summary>
public sealed class CouponCatalog(CouponRepository repository, TimeProvider clock)
{
    /// <summary>Unknown ids are remembered too, so the number is bounded against callers who make ids up.</summary>
    const int MaxEntries = 10_000;

    readonly ConcurrentDictionary<long, Entry> _entries = new();
    readonly ConcurrentDictionary<long, Lazy<Task<Coupon?>>> _loads = new();

    /// <summary>How old the answer may be while the database is there.</summary>
    public static TimeSpan MaxAge { get; } = TimeSpan.FromSeconds(1);

    /// <summary>The coupon as it was at most a second ago; null where there is none.</summary>
    public ValueTask<Coupon?> FindAsync(long id, CancellationToken cancellationToken)
    {
        // One caller asks the database again; the others use what is known.
        if (_entries.TryGetValue(id, out var entry) && (clock.GetElapsedTime(entry.At) < MaxAge || !entry.TryRefresh())) return new(entry.Coupon);
        // Where nothing is known they wait for the same answer, and nobody who goes away takes it from the others.
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
