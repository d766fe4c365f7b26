using System.Collections.Frozen;

namespace Commerce.Core.WaitingRoom;

/// <summary>Caches the waiting rooms for one second. A new room or an opening is known a second later.</summary>
public sealed class WaitingRoomCatalog(WaitingRoomRepository repository, TimeProvider clock)
{
    readonly SharedValue<Rooms> _rooms = new(TimeSpan.FromSeconds(1), clock);

    /// <summary>Returns the waiting rooms by event and by product.</summary>
    public Task<Rooms> GetAsync() => _rooms.GetAsync(async () => new Rooms(await repository.ListAsync(CancellationToken.None)));

    /// <summary>Discards the cached rooms. The next caller reads them again.</summary>
    public void Forget() => _rooms.Forget();
}

/// <summary>The waiting rooms at one moment.</summary>
public sealed class Rooms(IReadOnlyList<Room> rooms)
{
    readonly FrozenDictionary<long, Room> _byEvent = rooms.ToFrozenDictionary(r => r.EventId);
    readonly FrozenDictionary<long, Room[]> _byProduct = rooms.SelectMany(r => r.ProductIds, (room, product) => (room, product))
        .GroupBy(r => r.product, r => r.room).ToFrozenDictionary(g => g.Key, g => g.ToArray());

    /// <summary>Finds the room of an event. Returns null if it has none.</summary>
    public Room? Of(long eventId) => _byEvent.GetValueOrDefault(eventId);

    /// <summary>Lists the rooms through which a product is sold. A pass of one of them is enough.</summary>
    public IReadOnlyList<Room> OfProduct(long productId) => _byProduct.GetValueOrDefault(productId) ?? [];
}
