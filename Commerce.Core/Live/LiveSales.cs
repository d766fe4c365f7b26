using System.Collections.Concurrent;
using Commerce.Core.Catalog;
using Commerce.Core.Coupons;
using Commerce.Core.Events;
using Commerce.Core.Inventory;
using Commerce.Core.WaitingRoom;

namespace Commerce.Core.Live;

/// <summary>
/// The figures of live sales. A process reads the figures of an event once a second while there are viewers, regardless of how many.
/// The figures come from MySQL and Redis, so they cover all replicas.
/// </summary>
public sealed class LiveSales(
    EventDefinitions events, LiveRepository repository, CouponGate coupons, InventoryGate inventory, WaitingRoomGate rooms, ServerErrors errors, TimeProvider clock)
{
    /// <summary>The time between two readings.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <summary>
    /// The pause before the next count is this many times as long as the last count. A count takes longer the more orders and admissions
    /// there are.
    /// </summary>
    const int PauseFactor = 20;

    readonly ConcurrentDictionary<long, Readings> _events = new();

    /// <summary>Returns the figures of an event, at most one second old. Returns null if the event does not exist.</summary>
    /// <exception cref="System.Data.Common.DbException">MySQL is unavailable.</exception>
    public async Task<LiveSale?> ReadAsync(long eventId)
    {
        var readings = _events.GetOrAdd(eventId, static (_, clock) => new(clock), clock);
        var sale = await readings.Latest.GetAsync(() => LoadAsync(eventId, readings));
        if (sale is null) _events.TryRemove(eventId, out _);
        return sale;
    }

    async Task<LiveSale?> LoadAsync(long eventId, Readings readings)
    {
        if (await events.FindAsync(eventId, CancellationToken.None) is not { } sale) return null;
        var at = clock.GetUtcNow().UtcDateTime;
        await CountAsync(sale, readings);
        return new(
            eventId, sale.Status, at, await ReadCouponsAsync(sale), await ReadProductsAsync(sale), readings.Orders,
            await TransientFaults.TryAsync(async () => (long?)await errors.CountAsync(), null), await ReadRoomAsync(sale, readings));
    }

    async Task<LiveWaitingRoom?> ReadRoomAsync(SaleEvent sale, Readings readings) => sale.WaitingRoomRate is { } rate
        ? new(rate, await TransientFaults.TryAsync(() => rooms.CountAsync(sale.Id), null), readings.Admissions.Admitted, readings.Admissions.Ordering) : null;

    async Task<IReadOnlyList<LiveCoupon>> ReadCouponsAsync(SaleEvent sale)
    {
        if (sale.CouponIds.Count == 0) return [];
        var definitions = await repository.ListCouponsAsync(sale, CancellationToken.None);
        var gates = await TransientFaults.TryAsync(() => coupons.InspectAsync([.. definitions.Select(c => c.Id)]), [.. definitions.Select(_ => (GateState?)null)]);
        return [.. definitions.Zip(gates, (c, gate) => new LiveCoupon(
            c.Id, c.Name, c.TotalQuantity, gate is { Current: true } ? c.TotalQuantity - Math.Max(0, gate.Stock) : c.IssuedQuantity))];
    }

    async Task<IReadOnlyList<LiveProduct>> ReadProductsAsync(SaleEvent sale)
    {
        if (sale.ProductIds.Count == 0) return [];
        var products = await repository.ListProductsAsync(sale, CancellationToken.None);
        var available = await TransientFaults.TryAsync(() => inventory.ListAvailableAsync([.. products.Select(p => p.Id)]), [.. products.Select(_ => (long?)null)]);
        return [.. products.Zip(available, (p, left) => new LiveProduct(p.Id, p.Name, Math.Max(0, left ?? p.Stock)))];
    }

    /// <summary>Counts orders and admissions if the pause is over.</summary>
    async Task CountAsync(SaleEvent sale, Readings readings)
    {
        if (readings.CountedAt is { } before && clock.GetElapsedTime(before) < readings.Pause) return;
        var start = clock.GetTimestamp();
        readings.Orders = await repository.CountOrdersAsync(sale, CancellationToken.None);
        readings.Admissions = await repository.CountAdmissionsAsync(sale, CancellationToken.None);
        (readings.CountedAt, readings.Pause) = (clock.GetTimestamp(), PauseFactor * clock.GetElapsedTime(start));
    }

    /// <summary>The latest readings of one event. Only the load in progress writes them.</summary>
    sealed class Readings(TimeProvider clock)
    {
        public SharedValue<LiveSale?> Latest { get; } = new(Interval, clock);

        public LiveOrders Orders { get; set; } = new(0, 0, 0, 0);

        public (long Admitted, long Ordering) Admissions { get; set; }

        /// <summary>The time of the last count. Null before the first one.</summary>
        public long? CountedAt { get; set; }

        public TimeSpan Pause { get; set; }
    }
}
