using System.Globalization;
using Commerce.Core.Database;

namespace Commerce.Core.Inventory;

/// <summary>The stock of products. It is never below 0, and every change has a row in the stock audit.</summary>
public sealed class InventoryRepository(MySqlDatabase database, IHoldOwners owners)
{
    /// <summary>The name of the consumer in the inbox.</summary>
    public const string Consumer = "inventory";

    /// <summary>Reads the gate's epoch and locks it, so that it cannot be incremented before the transaction ends.</summary>
    public static Task<int> LockEpochAsync(DbSession transaction) => transaction.SingleAsync<int>("SELECT epoch FROM inventory_gate WHERE id = 1 FOR SHARE");

    /// <summary>Finds a product, on sale or not. Returns null if it does not exist.</summary>
    public Task<Product?> FindAsync(long productId, CancellationToken cancellationToken) =>
        database.SingleAsync<Product>($"SELECT {Product.Columns} FROM product WHERE id = @productId", new { productId }, cancellationToken);

    /// <summary>Sets the opening stock of a new product. Returns the epoch for loading it into the gate.</summary>
    public static async Task<int> OpenStockAsync(DbSession transaction, long productId, int stock)
    {
        await transaction.ExecuteAsync("""
            UPDATE product SET stock = @stock, counted = max_per_customer IS NOT NULL WHERE id = @productId;
            INSERT INTO product_stock_audit (product_id, event_id, delta, reason) VALUES (@productId, 'opening', @stock, 'OPENING')
            """, new { stock, productId });
        return await LockEpochAsync(transaction);
    }

    /// <summary>
    /// Starts to count the customers of a product, under a new epoch. Existing orders are counted too. An order that holds stock under
    /// the old epoch and has not committed is refused. Returns false if the product already counts its customers. Otherwise rebuild the
    /// gate after the commit.
    /// </summary>
    public static async Task<bool> CountCustomersAsync(DbSession transaction, long productId)
    {
        if (await transaction.ExecuteAsync("UPDATE product SET counted = TRUE WHERE id = @productId AND NOT counted", new { productId }) == 0) return false;
        await transaction.ExecuteAsync("UPDATE inventory_gate SET epoch = epoch + 1 WHERE id = 1");
        // All orders of the older epoch have committed. For paid orders, the stock audit has an index on the product; the items of orders
        // have none.
        await transaction.ExecuteAsync($"""
            INSERT IGNORE INTO counted_item (product_id, user_id, order_id, quantity, refunded)
            SELECT i.product_id, o.user_id, o.id, i.quantity, i.refunded FROM (
              SELECT SUBSTRING(event_id, {"placed:".Length + 1}) AS id FROM product_stock_audit WHERE product_id = @productId AND event_id LIKE 'placed:%'
              UNION SELECT id FROM orders WHERE holding = TRUE
            ) known JOIN orders o ON o.id = known.id JOIN order_item i ON i.order_id = o.id AND i.product_id = @productId
            WHERE o.status IN {CountedStates}
            """, new { productId });
        return true;
    }

    /// <summary>The states of orders that count for their customer.</summary>
    public const string CountedStates = "('CREATED', 'PENDING_PAYMENT', 'PAID')";

    /// <summary>
    /// Lists the units per customer of the products that count them, by product and customer, after <paramref name="after"/>. The units
    /// are 0 for a customer whose orders have all ended.
    /// </summary>
    public Task<IReadOnlyList<CustomerPieces>> ListCustomersAsync(CustomerPieces? after, int limit, CancellationToken cancellationToken) =>
        database.QueryAsync<CustomerPieces>($"""
            SELECT c.product_id AS ProductId, c.user_id AS UserId, CAST(SUM(IF(o.status IN {CountedStates}, c.quantity - c.refunded, 0)) AS SIGNED) AS Pieces
            FROM counted_item c JOIN orders o ON o.id = c.order_id
            WHERE c.product_id > @productId OR (c.product_id = @productId AND c.user_id > @userId)
            GROUP BY c.product_id, c.user_id ORDER BY c.product_id, c.user_id LIMIT @limit
            """, new { productId = after?.ProductId ?? 0, userId = after?.UserId ?? "", limit }, cancellationToken);

    /// <summary>Returns the current epoch of the gate. It is 0 if the gate was never open.</summary>
    public Task<int> FindEpochAsync(CancellationToken cancellationToken) =>
        database.SingleAsync<int>("SELECT epoch FROM inventory_gate WHERE id = 1", null, cancellationToken);

    /// <summary>Loads a product that the open gate does not know. No order holds units of it, so its whole stock is available.</summary>
    public async Task LoadAsync(InventoryGate gate, long productId, CancellationToken cancellationToken)
    {
        var (epoch, stock, counted) = await database.SingleAsync<(int Epoch, int Stock, bool Counted)>(
            "SELECT g.epoch, p.stock, p.counted FROM inventory_gate g JOIN product p ON p.id = @productId WHERE g.id = 1", new { productId }, cancellationToken);
        await gate.LoadAsync(epoch, productId, stock, counted);
    }

    /// <summary>Lists the changes of a product's stock, newest first.</summary>
    public Task<IReadOnlyList<StockChange>> ListChangesAsync(long productId, long? before, int limit, CancellationToken cancellationToken) =>
        database.QueryAsync<StockChange>("""
            SELECT id AS Id, event_id AS EventId, delta AS Delta, reason AS Reason, created_at AS CreatedAt FROM product_stock_audit
            WHERE product_id = @productId AND (@before IS NULL OR id < @before) ORDER BY id DESC LIMIT @limit
            """, new { productId, before, limit }, cancellationToken);

    /// <summary>
    /// Adds to the stock up to <paramref name="max"/>, or removes units. Returns the epoch of the gate for which the change holds.
    /// Returns null without a change if the stock would be out of range, or if the gate that gave up the units was rebuilt since.
    /// </summary>
    /// <param name="givenUpIn">The epoch of the gate that gave up the removed units. Null for added units.</param>
    public async Task<int?> AdjustAsync(long productId, int delta, int max, int? givenUpIn, string eventId, string reason, CancellationToken cancellationToken)
    {
        var epoch = 0;
        return await database.TryExecuteInTransactionAsync(async transaction =>
        {
            epoch = await LockEpochAsync(transaction);
            if (givenUpIn is { } other && other != epoch) return false;
            if (await transaction.ExecuteAsync("""
                    UPDATE product SET stock = stock + @delta WHERE id = @productId AND stock + @delta >= 0 AND (@delta < 0 OR stock + @delta <= @max)
                    """, new { delta, productId, max }) == 0) return false;
            await transaction.ExecuteAsync(
                "INSERT INTO product_stock_audit (product_id, event_id, delta, reason) VALUES (@productId, @eventId, @delta, @reason)",
                new { productId, eventId, delta, reason });
            return true;
        }, cancellationToken) ? epoch : null;
    }

    /// <summary>
    /// Increments the epoch for one caller and reads the content of the new gate. Changes under an older epoch are either in this content
    /// or will be refused. Returns null if another caller incremented the epoch or is opening the gate.
    /// </summary>
    public Task<InventoryContent?> ClaimGateAsync(int seenEpoch, TimeSpan lease, CancellationToken cancellationToken) =>
        database.ExecuteInTransactionAsync(async transaction =>
        {
            if (await transaction.ExecuteAsync("""
                    UPDATE inventory_gate SET epoch = epoch + 1, lease_until = UTC_TIMESTAMP(6) + INTERVAL @seconds SECOND
                    WHERE id = 1 AND epoch = @seenEpoch AND (lease_until IS NULL OR lease_until < UTC_TIMESTAMP(6))
                    """, new { seenEpoch, seconds = (int)lease.TotalSeconds }) == 0) return null;
            // One statement reads everything. So stock that is deducted meanwhile is either in the stock or in a hold, and a hold that
            // ends meanwhile is either counted for its customer or not in the gate.
            var rows = (await transaction.QueryAsync<StockRow>($"""
                SELECT id AS ProductId, CAST(stock AS SIGNED) AS Pieces, NULL AS OrderId, NULL AS UserId, NULL AS Deadline, counted AS Counted FROM product
                UNION ALL
                SELECT i.product_id, i.quantity, o.id, o.user_id, o.hold_expires_at, FALSE FROM orders o JOIN order_item i ON i.order_id = o.id WHERE o.holding = TRUE
                UNION ALL
                SELECT c.product_id, CAST(SUM(c.quantity - c.refunded) AS SIGNED), NULL, c.user_id, NULL, FALSE FROM counted_item c JOIN orders o ON o.id = c.order_id
                WHERE o.status IN {CountedStates} GROUP BY c.product_id, c.user_id
                """)).ToLookup(r => (Held: r.OrderId is not null, OfCustomer: r.UserId is not null));
            var (products, holds, customers) = (rows[(false, false)], rows[(true, true)], rows[(false, true)]);
            var held = holds.ToLookup(r => r.ProductId, r => r.Pieces);
            return new InventoryContent(seenEpoch + 1,
                [.. products.Select(r => new AvailablePieces(r.ProductId, r.Pieces - held[r.ProductId].Sum()))],
                [.. holds.GroupBy(r => (r.OrderId, r.UserId, r.Deadline)).Select(o =>
                    new Hold(o.Key.OrderId!, o.Key.UserId!, new(o.Key.Deadline!.Value, TimeSpan.Zero), [.. o.Select(r => new OrderLine(r.ProductId, (int)r.Pieces))]))],
                [.. products.Where(r => r.Counted).Select(r => r.ProductId)],
                [.. customers.Select(r => new CustomerPieces(r.ProductId, r.UserId!, r.Pieces))]);
        }, cancellationToken);

    /// <summary>
    /// Ends the claim of this epoch after the gate was opened, so that a rebuild after the next loss need not wait for the lease.
    /// </summary>
    public Task EndGateClaimAsync(int epoch, CancellationToken cancellationToken) =>
        database.ExecuteAsync("UPDATE inventory_gate SET lease_until = NULL WHERE id = 1 AND epoch = @epoch", new { epoch }, cancellationToken);

    /// <summary>
    /// Deducts the stock of paid orders, in one transaction with inbox and stock audit. Orders that were processed or refunded before are
    /// skipped.
    /// </summary>
    public async Task<StockDeduction> DeductStockAsync(IReadOnlyList<string> orderIds, CancellationToken cancellationToken)
    {
        if (await TryDeductAsync(orderIds, cancellationToken) is { } all) return new(all, []);
        // The stock does not suffice for the whole batch, so each order is processed alone, in order of arrival.
        var (deducted, unserved) = (new List<string>(), new List<string>());
        foreach (var orderId in orderIds)
        {
            if (await TryDeductAsync([orderId], cancellationToken) is { } one) deducted.AddRange(one);
            else if (await AcceptShortfallAsync(orderId, cancellationToken)) unserved.Add(orderId);
        }

        return new(deducted, unserved);
    }

    /// <summary>
    /// Deducts the stock of all orders, or of none. Returns the paid orders among them, or null if there is not enough stock for all.
    /// </summary>
    async Task<IReadOnlyList<string>?> TryDeductAsync(IReadOnlyList<string> orderIds, CancellationToken cancellationToken)
    {
        IReadOnlyList<string> paid = [];
        return await database.TryExecuteInTransactionAsync(async transaction =>
        {
            // The rows are locked, so a refund of the same order comes before or after this transaction.
            var lines = await transaction.QueryAsync<PaidPieces>("""
                SELECT o.id AS OrderId, o.holding AS Holding, i.product_id AS ProductId, i.quantity AS Quantity,
                       EXISTS (SELECT 1 FROM order_announcement a WHERE a.order_id = o.id) AS Announced
                FROM orders o LEFT JOIN order_item i ON i.order_id = o.id WHERE o.id IN @orderIds AND o.status = 'PAID' ORDER BY o.id FOR UPDATE OF o
                """, new { orderIds });
            paid = [.. lines.Select(l => l.OrderId).Distinct()];
            var taking = lines.Where(l => l.Holding).Select(l => l.OrderId).Distinct().ToList();
            var wanted = lines.Where(l => l is { Holding: true, ProductId: not null }).GroupBy(l => l.ProductId!.Value)
                .Select(g => new AvailablePieces(g.Key, g.Sum(l => (long)l.Quantity!))).ToList();
            if (wanted.Count > 0)
            {
                // A range of the primary key is locked in the order of the ids. The stock of all products is deducted, or of none.
                var pieces = string.Concat(wanted.Select(w => string.Create(CultureInfo.InvariantCulture, $" WHEN {w.ProductId} THEN {w.Pieces}")));
                if (await transaction.ExecuteAsync(
                        $"UPDATE product SET stock = stock - CASE id{pieces} END WHERE id IN @ids AND stock >= CASE id{pieces} END",
                        new { ids = wanted.Select(w => w.ProductId) }) < wanted.Count) return false;
            }

            if (taking.Count > 0)
                transaction.AtCommit("""
                    INSERT INTO product_stock_audit (product_id, event_id, delta, reason)
                    SELECT product_id, CONCAT('placed:', order_id), -quantity, 'ORDER_PLACED' FROM order_item WHERE order_id IN @taking;
                    UPDATE orders SET holding = FALSE WHERE id IN @taking
                    """, new { taking });
            if (lines.Any(l => l is { Holding: true, Announced: 1 }))
                transaction.AtCommit("DELETE FROM order_announcement WHERE order_id IN @announced", new { announced = taking });
            transaction.AtCommit(NoteHandled, new { Consumer, orderIds });
            return true;
        }, cancellationToken) ? paid : null;
    }

    /// <summary>Records that a paid order gets no stock. Returns false if it no longer waits for its stock.</summary>
    Task<bool> AcceptShortfallAsync(string orderId, CancellationToken cancellationToken) =>
        database.ExecuteInTransactionAsync(async transaction =>
        {
            var accepted = await owners.AcceptShortfallAsync(transaction, orderId);
            transaction.AtCommit(NoteHandled, new { Consumer, orderIds = new[] { orderId } });
            return accepted;
        }, cancellationToken);

    const string NoteHandled = "INSERT IGNORE INTO inbox (consumer, message_id) SELECT @Consumer, CONCAT('placed:', id) FROM orders WHERE id IN @orderIds";

    /// <summary>
    /// Returns the deducted stock of a refunded order, except units that were refunded by line. Pass the result to
    /// <see cref="ReturnAsync"/> after the commit.
    /// </summary>
    public static async Task<StockReturn> RestockOrderAsync(DbSession transaction, string orderId, string userId)
    {
        var lines = await transaction.QueryAsync<(long ProductId, int Quantity, int Refunded)>(
            "SELECT product_id, quantity, refunded FROM order_item WHERE order_id = @orderId AND refunded < quantity ORDER BY product_id", new { orderId });
        var epoch = await LockEpochAsync(transaction);
        ReturnedLine[] returned = [.. lines.Select(l => new ReturnedLine(l.ProductId, l.Quantity - l.Refunded, l.Quantity - l.Refunded))];
        await RestockAsync(transaction, returned, $"refunded:{orderId}");
        return new(orderId, userId, epoch, returned);
    }

    /// <summary>Adds the returned units to the stock, with a row in the stock audit for each product.</summary>
    /// <param name="eventId">The cause. The same cause returns its units once.</param>
    internal static async Task RestockAsync(DbSession transaction, IReadOnlyList<ReturnedLine> lines, string eventId)
    {
        foreach (var (productId, quantity, _) in lines.Where(l => l.Restocked > 0).OrderBy(l => l.ProductId))
            await transaction.ExecuteAsync("""
                UPDATE product SET stock = stock + @quantity WHERE id = @productId;
                INSERT INTO product_stock_audit (product_id, event_id, delta, reason) VALUES (@productId, @eventId, @quantity, 'REFUNDED')
                """, new { quantity, productId, eventId });
    }

    /// <summary>
    /// Tells the gate about a refund after its commit. If Redis is unavailable, reaper and reconciler repair the gate later.
    /// </summary>
    public static Task ReturnAsync(InventoryGate gate, StockReturn returned) => TransientFaults.TryAsync(() =>
        returned.Epoch == 0 ? gate.ReleaseAsync([returned.OrderId]) : gate.RestockAsync(returned));

    /// <summary>The stock of a product, the units that an order holds, or the units that a customer has.</summary>
    sealed class StockRow
    {
        public required long ProductId { get; init; }

        public required long Pieces { get; init; }

        public string? OrderId { get; init; }

        public string? UserId { get; init; }

        public DateTime? Deadline { get; init; }

        public bool Counted { get; init; }
    }

    sealed record PaidPieces(string OrderId, bool Holding, long? ProductId, int? Quantity, long Announced);
}

/// <summary>The stock that a refund returns.</summary>
/// <param name="Epoch">The gate's epoch in the transaction, or 0 if nothing was deducted.</param>
public sealed record StockReturn(string OrderId, string UserId, int Epoch, IReadOnlyList<ReturnedLine> Lines)
{
    /// <summary>Combines the returns of two steps in one transaction.</summary>
    public static StockReturn? Combine(StockReturn? first, StockReturn? second) =>
        first is null || second is null ? first ?? second : first with { Lines = [.. first.Lines, .. second.Lines] };
}

/// <summary>Units of a line that are refunded.</summary>
/// <param name="Restocked">The number of units that return to the stock.</param>
/// <param name="Refunded">The number of units that no longer count for the customer.</param>
public sealed record ReturnedLine(long ProductId, int Restocked, int Refunded);

/// <summary>The result of deducting the stock of paid orders.</summary>
/// <param name="Deducted">Orders whose stock is deducted, now or before. Their holds can be confirmed.</param>
/// <param name="Unserved">Orders without enough stock. They are <c>REFUNDING</c>, and nothing was deducted for them.</param>
public sealed record StockDeduction(IReadOnlyList<string> Deducted, IReadOnlyList<string> Unserved);

/// <summary>A change of a product's stock.</summary>
/// <param name="EventId">The cause: <c>opening</c>, <c>placed:ORDER</c>, <c>refunded:ORDER</c>, <c>refund:REFUND</c>,
/// <c>adjusted:UUID</c>.</param>
public sealed record StockChange(long Id, string EventId, int Delta, string Reason, DateTime CreatedAt);
