using StackExchange.Redis;

namespace Commerce.Core.Inventory;

/// <summary>
/// The Redis keys of the inventory. All have the hash tag <c>{inventory}</c>, because one script reserves several products or none.
/// </summary>
static class InventoryKeys
{
    /// <summary>Hash with epoch and server. Without it the gate is closed.</summary>
    const string Gate = "{inventory}:gate";

    /// <summary>Hash: product → available stock.</summary>
    const string Available = "{inventory}:available";

    /// <summary>Sorted set: order → time when its hold is checked (ms since 1970, Redis' clock).</summary>
    const string Holds = "{inventory}:holds";

    /// <summary>
    /// Hash: order → its lines and its customer as "product quantity product quantity @customer". It outlives the deadline, because the
    /// reaper needs it to return the stock.
    /// </summary>
    const string Lines = "{inventory}:lines";

    /// <summary>Set: the products that count their customers.</summary>
    const string Counted = "{inventory}:counted";

    /// <summary>Hash: "product customer" → units in orders that hold stock or are paid. Fields with 0 units are removed.</summary>
    const string Customers = "{inventory}:customers";

    const string Next = ":next";

    /// <summary>The keys in the order that every inventory script expects.</summary>
    public static readonly RedisKey[] All = [Gate, Available, Holds, Lines, Counted, Customers];

    /// <summary>The keys that a rebuild fills before it replaces the current ones.</summary>
    public static readonly RedisKey NextAvailable = Available + Next, NextHolds = Holds + Next, NextLines = Lines + Next,
        NextCounted = Counted + Next, NextCustomers = Customers + Next;

    /// <summary>The keys that a rebuild fills, in the order of <see cref="All"/>.</summary>
    public static readonly RedisKey[] Prepared = [NextAvailable, NextHolds, NextLines, NextCounted, NextCustomers];

    /// <summary>The keys of the script that opens the gate.</summary>
    public static readonly RedisKey[] Opening = [.. All, .. Prepared];
}
