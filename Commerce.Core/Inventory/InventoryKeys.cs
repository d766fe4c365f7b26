using StackExchange.Redis;

namespace Commerce.Core.Inventory;

/// <summary>
/// The keys of the inventory in Redis. All carry the hash tag <c>{inventory}</c>: an order takes several products or none, in one script.
/// </summary>
static class InventoryKeys
{
    /// <summary>Hash: epoch, server. Absent: the gate is closed.</summary>
    const string Gate = "{inventory}:gate";

    /// <summary>Hash: product → pieces that can be ordered.</summary>
    const string Available = "{inventory}:available";

    /// <summary>Sorted set: order → when its hold is looked at (ms since 1970, Redis' clock).</summary>
    const string Holds = "{inventory}:holds";

    /// <summary>Hash: order → what it holds, as "product quantity product quantity". Outlives the deadline: else nobody would know what to give back.</summary>
    const string Lines = "{inventory}:lines";

    const string Next = ":next";

    /// <summary>The keys in the order in which every inventory script takes them.</summary>
    public static readonly RedisKey[] All = [Gate, Available, Holds, Lines];

    /// <summary>Where a rebuild prepares them.</summary>
    public static readonly RedisKey NextAvailable = Available + Next, NextHolds = Holds + Next, NextLines = Lines + Next;

    /// <summary>The keys of the script that opens the gate.</summary>
    public static readonly RedisKey[] Opening = [.. All, NextAvailable, NextHolds, NextLines];
}
