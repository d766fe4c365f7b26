using System.Globalization;
using Commerce.Core.Redis;
using StackExchange.Redis;

namespace Commerce.Core.Inventory;

/// <summary>The gate's verdict for an order.</summary>
public enum ReserveVerdict
{
    /// <summary>
    /// The gate is not loaded, was loaded under another incarnation of the server, or is newer than the products that the caller has
    /// read.
    /// </summary>
    Closed = -1,
    /// <summary>All lines are reserved.</summary>
    Held = 0,
    /// <summary>Nothing is reserved, because a product does not have enough stock.</summary>
    OutOfStock = 1,
    /// <summary>Nothing is reserved, because the gate does not know a product (yet).</summary>
    UnknownProduct = 2,
    /// <summary>Nothing is reserved, because the customer would exceed the limit of a product.</summary>
    AboveLimit = 3,
}

/// <summary>The gate's result.</summary>
/// <param name="Value">The gate's epoch for <see cref="ReserveVerdict.Held"/>, otherwise the refused product.</param>
/// <param name="Count">For <see cref="ReserveVerdict.AboveLimit"/>, the units that the customer has.</param>
public readonly record struct ReserveResult(ReserveVerdict Verdict, long Value = 0, long Count = 0);

/// <summary>The number of units of a product that one customer may have, over all orders that hold stock or are paid.</summary>
/// <param name="IsCounted">Whether the product counts its customers, because it has or had a limit.</param>
/// <param name="Max">Null: no limit.</param>
public readonly record struct CustomerLimit(bool IsCounted, int? Max)
{
    /// <summary>The limit as an argument of reserve.lua.</summary>
    internal int Argument => IsCounted ? Max ?? 0 : -1;
}

/// <summary>The gate's content at one moment.</summary>
/// <param name="Available">Product → available stock.</param>
/// <param name="Holds">Order → reserved lines.</param>
public sealed record InventorySnapshot(
    int Epoch, bool Current, IReadOnlyDictionary<long, long> Available, IReadOnlyDictionary<string, HeldLines> Holds);

/// <summary>The lines of an order that the gate holds.</summary>
/// <param name="UserId">The customer. Null in a hold of an earlier version.</param>
public sealed record HeldLines(IReadOnlyList<OrderLine> Lines, string? UserId);

/// <summary>
/// The gate of the inventory in Redis: the available stock, and the holds per order. Redis may lose everything at any time. The gate
/// is then closed until it is rebuilt from the database.
/// </summary>
public sealed class InventoryGate(IConnectionMultiplexer connection, RedisServers servers)
{
    static readonly RedisScript Reserve = RedisScript.Load("Inventory/reserve.lua");
    static readonly RedisScript Settle = RedisScript.Load("Inventory/settle.lua");
    static readonly RedisScript Restock = RedisScript.Load("Inventory/restock.lua");
    static readonly RedisScript Adjust = RedisScript.Load("Inventory/adjust.lua");
    static readonly RedisScript Load = RedisScript.Load("Inventory/load.lua");
    static readonly RedisScript Extend = RedisScript.Load("Inventory/extend.lua");
    static readonly RedisScript Due = RedisScript.Load("Inventory/due.lua");
    static readonly RedisScript Open = RedisScript.Load("Inventory/open.lua");
    static readonly RedisScript Close = RedisScript.Load("Inventory/close.lua");
    static readonly RedisScript Snapshot = RedisScript.Load("Inventory/snapshot.lua");

    /// <summary>The timeout of a call. A later response is ignored, and the caller gets 503.</summary>
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(1);

    /// <summary>The timeout of a rebuild or a snapshot.</summary>
    static readonly TimeSpan LongDeadline = TimeSpan.FromSeconds(10);

    const int BatchSize = 1000;

    readonly IDatabase _redis = connection.GetDatabase();

    /// <summary>
    /// Whether the incarnation of the Redis server is known. If not, every request is refused and the gate cannot be opened.
    /// </summary>
    public bool KnowsServer => Server is not null;

    string? Server => servers.IncarnationOf(InventoryKeys.All[0]);

    /// <summary>Reserves all lines for <paramref name="hold"/>, or none. Repeated calls are safe.</summary>
    /// <exception cref="RedisException">Redis is unavailable; the script may have run.</exception>
    /// <exception cref="TimeoutException">Redis did not respond; the script may have run.</exception>
    public async Task<ReserveResult> ReserveAsync(string orderId, string userId, IReadOnlyList<(OrderLine Line, CustomerLimit Limit)> lines, TimeSpan hold)
    {
        if (Server is not { } server) return new(ReserveVerdict.Closed);
        using var span = CommerceTelemetry.Source.StartActivity("EVALSHA reserve", System.Diagnostics.ActivityKind.Client);
        span?.SetTag("db.system.name", "redis").SetTag("db.operation.name", "EVALSHA").SetTag("db.stored_procedure.name", "reserve.lua");
        var answer = (RedisResult[])(await Reserve.RunAsync(_redis, InventoryKeys.All,
            [server, orderId, Milliseconds(hold), userId, .. lines.SelectMany(l => new RedisValue[] { l.Line.ProductId, l.Line.Quantity, l.Limit.Argument })], Deadline))!;
        return new((ReserveVerdict)(int)answer[0], answer.Length > 1 ? (long)answer[1] : 0, answer.Length > 2 ? (long)answer[2] : 0);
    }

    /// <summary>Releases the holds of these orders.</summary>
    public Task ReleaseAsync(IEnumerable<string> orderIds) => SettleAsync("release", orderIds);

    /// <summary>Ends the holds of these orders after their stock was deducted.</summary>
    public Task ConfirmAsync(IEnumerable<string> orderIds) => SettleAsync("confirm", orderIds);

    /// <summary>Returns the stock of a refund, under the epoch of its transaction.</summary>
    public Task RestockAsync(StockReturn returned) =>
        Restock.RunAsync(_redis, InventoryKeys.All, [
            returned.Epoch, returned.OrderId, returned.UserId, .. returned.Lines.SelectMany(l => new RedisValue[] { l.ProductId, l.Restocked, l.Refunded }),
        ], Deadline);

    /// <summary>
    /// Extends a hold to <paramref name="time"/> from now. Returns false if the hold is gone, or null if the gate is closed.
    /// </summary>
    public async Task<bool?> ExtendAsync(string orderId, TimeSpan time)
    {
        if (Server is not { } server) return null;
        return (int)await Extend.RunAsync(_redis, InventoryKeys.All, [server, orderId, Milliseconds(time)], Deadline) switch { 1 => true, 0 => false, _ => null };
    }

    /// <summary>
    /// Changes the available stock of a product. Returns 1 if it was changed, 0 if there is not enough, 2 if the product is not loaded,
    /// and -1 if the gate is closed or was rebuilt since <paramref name="epoch"/>.
    /// </summary>
    public async Task<int> AdjustAsync(int epoch, long productId, int delta) =>
        (int)await Adjust.RunAsync(_redis, InventoryKeys.All, [epoch, productId, delta], Deadline);

    /// <summary>Loads a product that was not ordered yet. Its stock was read under <paramref name="epoch"/>.</summary>
    public Task LoadAsync(int epoch, long productId, int stock, bool counted) =>
        Load.RunAsync(_redis, InventoryKeys.All, [epoch, productId, stock, counted ? 1 : 0], Deadline);

    /// <summary>Takes expired holds. Each is leased to one caller for <paramref name="lease"/>.</summary>
    public async Task<IReadOnlyList<string>> TakeDueAsync(int limit, TimeSpan lease) =>
        [.. ((RedisResult[])(await Due.RunAsync(_redis, InventoryKeys.All, [limit, Milliseconds(lease)], Deadline))!).Select(r => (string)r!)];

    /// <summary>Returns the gate's epoch, and whether it was opened on the current server. Returns null if the gate is closed.</summary>
    public async Task<(int Epoch, bool Current)?> InspectAsync()
    {
        var gate = await _redis.HashGetAsync(InventoryKeys.All[0], ["epoch", "server"]).WaitAsync(Deadline);
        return gate[0].IsNull ? null : ((int)gate[0], (string)gate[1]! == Server);
    }

    /// <summary>Returns the available stock of these products, or null for a product that the gate does not know.</summary>
    public async Task<IReadOnlyList<long?>> ListAvailableAsync(IReadOnlyList<long> productIds)
    {
        if (productIds.Count == 0) return [];
        var values = await _redis.HashGetAsync(InventoryKeys.All[1], [.. productIds.Select(id => (RedisValue)id)]).WaitAsync(Deadline);
        return [.. values.Select(v => v.IsNull ? (long?)null : (long)v)];
    }

    /// <summary>Returns the units that the gate counts for these customers.</summary>
    public async Task<IReadOnlyList<long>> CountAsync(IReadOnlyList<CustomerPieces> customers)
    {
        var counts = await _redis.HashGetAsync(InventoryKeys.All[5], [.. customers.Select(FieldOf)]).WaitAsync(Deadline);
        return [.. counts.Select(c => c.IsNull ? 0 : (long)c)];
    }

    /// <summary>Reads the gate's content at one moment. Returns null if the gate is closed.</summary>
    public async Task<InventorySnapshot?> SnapshotAsync()
    {
        var answer = (RedisResult[])(await Snapshot.RunAsync(_redis, InventoryKeys.All, [], LongDeadline))!;
        if ((int)answer[0] == 0) return null;
        return new((int)answer[0], (string)answer[1]! == Server,
            Pairs(answer[2]).Where(p => IsNumber(p.Field) && IsNumber(p.Value))
                .ToDictionary(p => long.Parse(p.Field, CultureInfo.InvariantCulture), p => long.Parse(p.Value, CultureInfo.InvariantCulture)),
            Pairs(answer[3]).ToDictionary(p => p.Field, p => Parse(p.Value)));
    }

    /// <summary>
    /// Closes a gate that has an epoch below <paramref name="epoch"/> or belongs to another server than the current one.
    /// </summary>
    public async Task CloseStaleAsync(int epoch)
    {
        if (Server is { } server) await Close.RunAsync(_redis, InventoryKeys.All, [epoch, server], Deadline);
    }

    /// <summary>Replaces the gate's content by the database's content. Returns false if a newer epoch is open.</summary>
    /// <param name="content">The content of the database at the time of the new epoch.</param>
    public async Task<bool> OpenAsync(InventoryContent content)
    {
        if (Server is not { } server) return false;
        await _redis.KeyDeleteAsync(InventoryKeys.Prepared).WaitAsync(Deadline);
        foreach (var chunk in content.Available.Chunk(BatchSize))
            await _redis.HashSetAsync(InventoryKeys.NextAvailable, [.. chunk.Select(p => new HashEntry(p.ProductId, p.Pieces))]).WaitAsync(Deadline);
        foreach (var chunk in content.Holds.Chunk(BatchSize))
        {
            await _redis.HashSetAsync(InventoryKeys.NextLines,
                [.. chunk.Select(h => new HashEntry(h.OrderId, string.Join(' ', h.Lines.Select(l => string.Create(CultureInfo.InvariantCulture, $"{l.ProductId} {l.Quantity}")).Append($"@{h.UserId}"))))])
                .WaitAsync(Deadline);
            await _redis.SortedSetAddAsync(InventoryKeys.NextHolds, [.. chunk.Select(h => new SortedSetEntry(h.OrderId, h.Deadline.ToUnixTimeMilliseconds()))]).WaitAsync(Deadline);
        }

        foreach (var chunk in content.Counted.Chunk(BatchSize))
            await _redis.SetAddAsync(InventoryKeys.NextCounted, [.. chunk.Select(id => (RedisValue)id)]).WaitAsync(Deadline);
        foreach (var chunk in content.Customers.Chunk(BatchSize))
            await _redis.HashSetAsync(InventoryKeys.NextCustomers, [.. chunk.Select(c => new HashEntry(FieldOf(c), c.Pieces))]).WaitAsync(Deadline);

        return (int)await Open.RunAsync(_redis, InventoryKeys.Opening, [content.Epoch, server], Deadline) == 1;
    }

    async Task SettleAsync(string how, IEnumerable<string> orderIds)
    {
        foreach (var chunk in orderIds.Chunk(BatchSize))
            await Settle.RunAsync(_redis, InventoryKeys.All, [how, .. chunk.Select(id => (RedisValue)id)], Deadline);
    }

    static IEnumerable<RedisValue> Flatten(IReadOnlyList<OrderLine> lines) => lines.SelectMany(l => new RedisValue[] { l.ProductId, l.Quantity });

    static IEnumerable<(string Field, string Value)> Pairs(RedisResult hash) =>
        ((RedisResult[])hash!).Chunk(2).Select(p => ((string)p[0]!, (string)p[1]!));

    /// <summary>
    /// Parses the lines of a hold. Text in another format is ignored. The affected products then show a drift, which is recorded and
    /// repaired.
    /// </summary>
    static HeldLines Parse(string lines)
    {
        var words = lines.Split(' ');
        return new(
            [
                .. words.Chunk(2).Where(p => p.Length == 2 && IsNumber(p[0]) && int.TryParse(p[1], CultureInfo.InvariantCulture, out _))
                    .Select(p => new OrderLine(long.Parse(p[0], CultureInfo.InvariantCulture), int.Parse(p[1], CultureInfo.InvariantCulture))),
            ],
            words[^1].StartsWith('@') ? words[^1][1..] : null);
    }

    static RedisValue FieldOf(CustomerPieces customer) => string.Create(CultureInfo.InvariantCulture, $"{customer.ProductId} {customer.UserId}");

    static bool IsNumber(string text) => long.TryParse(text, CultureInfo.InvariantCulture, out _);

    static long Milliseconds(TimeSpan time) => (long)time.TotalMilliseconds;
}
