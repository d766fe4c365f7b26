using System.Diagnostics.Metrics;
using System.Globalization;
using Commerce.Core.Coupons;
using Commerce.Core.Database;
using Commerce.Core.Inventory;
using Commerce.Core.Outbox;
using Microsoft.Extensions.Options;

namespace Commerce.Core.Orders;

/// <summary>An order that holds its stock.</summary>
/// <param name="Status"><c>CREATED</c>, or <c>PAID</c> if its coupon pays all of it.</param>
/// <param name="TotalAmount">The amount to pay, in whole KRW. It follows from the prices in the database and the coupon.</param>
/// <param name="HoldExpiresAt">The order can be paid until this time.</param>
public sealed record PlacedOrder(string OrderId, string Status, long TotalAmount, DateTime HoldExpiresAt);

/// <summary>
/// Places orders. The gate reserves all lines or none, then the order commits. If it does not commit, its hold is released at once,
/// or by the reaper after a crash.
/// </summary>
public sealed partial class OrderService(
    MySqlDatabase database, OrderRepository orders, InventoryGate gate, InventoryRepository inventory, CouponIssueTracker issues, OutboxWriter outbox,
    IOptions<OrderOptions> options, TimeProvider clock, ILogger<OrderService> logger)
{
    static readonly Counter<long> Asked = CommerceTelemetry.Meter.CreateCounter<long>("commerce.orders.asked");

    /// <summary>The time to find out whether a transaction committed after its response was lost.</summary>
    static readonly TimeSpan CommitCheckTimeout = TimeSpan.FromSeconds(5);

    /// <summary>Places a validated order.</summary>
    /// <param name="withinTransaction">Runs in the same transaction. Stores the response of an idempotent request.</param>
    /// <exception cref="ProblemException">The order is refused.</exception>
    public async Task<PlacedOrder> PlaceAsync(
        string userId, OrderRequest request, Func<Task> beforeHolding, Action<DbSession, PlacedOrder> withinTransaction, CancellationToken cancellationToken)
    {
        var lines = request.Lines();
        var products = await database.QueryAsync<PricedProduct>("""
            SELECT p.id AS Id, p.price AS Price, p.max_per_customer AS MaxPerCustomer,
                   IF(p.counted, (SELECT CAST(MIN(e.max_per_customer) AS SIGNED) FROM event_product l JOIN event e ON e.id = l.event_id
                                  WHERE l.product_id = p.id AND e.status = 'OPEN'), NULL) AS MaxOfEvents, p.counted AS Counted, UTC_TIMESTAMP(6) AS Now
            FROM product p WHERE p.id IN @ids AND p.on_sale
            """, new { ids = lines.Select(l => l.ProductId) }, cancellationToken);
        var prices = products.ToDictionary(p => p.Id);
        if (lines.FirstOrDefault(l => !prices.ContainsKey(l.ProductId)) is { } unknown)
            throw new ProblemException(InventoryProblems.ProductNotFound, $"Product {unknown.ProductId} is not on sale.");

        var amounts = lines.ToDictionary(l => l.ProductId, l => prices[l.ProductId].Price * l.Quantity);
        var coupon = request.CouponId is { } couponId ? await FindCouponAsync(couponId, userId, cancellationToken) : null;
        var discount = coupon?.DiscountOn(amounts) ?? 0;
        var total = amounts.Values.Sum() - discount;
        if (total > 0 && total < options.Value.MinPayment) throw new ProblemException(OrderProblems.BelowMinPayment, TellMinimum(total, coupon is not null));
        if (total > options.Value.MaxPayment) throw new ProblemException(OrderProblems.AboveMaxPayment, TellMaximum(total));
        // The hold ends by MySQL's clock.
        var placed = new PlacedOrder(
            Guid.CreateVersion7(clock.GetUtcNow()).ToString(), total == 0 ? OrderState.Paid : OrderState.Created, total, products[0].Now + options.Value.HoldTime);

        await beforeHolding();
        var epoch = await ReserveAsync(placed.OrderId, userId, [.. lines.Select(l => (l, prices[l.ProductId].Limit))], cancellationToken);
        Checkpoints.Reach(Checkpoints.AfterReserve);
        var committing = false;
        try
        {
            // The transaction runs to its end even if the caller disconnects. Otherwise it would be unknown whether the order exists.
            await database.ExecuteInTransactionAsync(async transaction =>
            {
                committing = false;
                if (options.Value.MaxUnpaidOrders is { } max && total > 0) await LimitUnpaidAsync(transaction, userId, max);
                withinTransaction(transaction, placed);
                await InsertAsync(transaction, placed, epoch, userId, request, lines, prices, coupon, discount);
                var change = new OrderChanged(placed.OrderId, 1, placed.Status, userId, total, 0, null, null, products[0].Now);
                orders.Publish(transaction, change, total == 0 ? new OrderPlaced(placed.OrderId, userId, total, lines) : null);
                return committing = true;
            }, CancellationToken.None);
        }
        catch (Exception e) when (committing && TransientFaults.IsTransient(e))
        {
            // The connection broke during the commit, so the outcome is unknown.
            if (!await WasCommittedAsync(placed.OrderId)) throw;
        }
        catch
        {
            await ReleaseAsync(placed.OrderId);
            throw;
        }

        if (total == 0) outbox.Wake();
        Asked.Add(1, new KeyValuePair<string, object?>("verdict", "held"));
        return placed;
    }

    /// <summary>Cancels an unpaid order. Cancelling it again changes nothing.</summary>
    /// <exception cref="ProblemException">The user has no such order, or it is paid, being paid or expired.</exception>
    public Task CancelAsync(string orderId, string userId, CancellationToken cancellationToken) => CancelAsync(orderId, userId, null, cancellationToken);

    /// <summary>Cancels an unpaid order on behalf of its customer.</summary>
    /// <exception cref="ProblemException">The order does not exist, or it is paid, being paid or expired.</exception>
    public Task CancelForCustomerAsync(string orderId, string administrator, string reason, CancellationToken cancellationToken) =>
        CancelAsync(orderId, null, transaction => transaction.AtCommit(
            "INSERT INTO order_step (order_id, state, actor, reason) VALUES (@orderId, 'CANCELLED', @administrator, @reason)",
            new { orderId, administrator, reason }), cancellationToken);

    async Task CancelAsync(string orderId, string? userId, Action<DbSession>? withCancel, CancellationToken cancellationToken)
    {
        if (!await database.ExecuteInTransactionAsync(async transaction =>
            {
                if (!await orders.CancelAsync(transaction, orderId, userId)) return false;
                withCancel?.Invoke(transaction);
                return true;
            }, cancellationToken))
        {
            var (status, pinned) = await database.SingleAsync<(string? Status, bool Pinned)>(
                "SELECT status, pinned FROM orders WHERE id = @orderId AND user_id = COALESCE(@userId, user_id)", new { orderId, userId }, cancellationToken);
            if (status is null) throw new ProblemException(OrderProblems.NotFound);
            // The order can be cancelled if the payment fails.
            if (pinned) throw new ProblemException(OrderProblems.NotCancellable, "The order is being paid.", TimeSpan.FromSeconds(1));
            if (status != OrderState.Cancelled) throw new ProblemException(OrderProblems.NotCancellable);
        }

        orders.Wake();
        await ReleaseAsync(orderId);
    }

    string TellMinimum(long total, bool hasCoupon) => string.Create(CultureInfo.InvariantCulture,
        $"The order would cost {total} won, and the least that can be paid is {options.Value.MinPayment} won. Add products{(hasCoupon ? ", or order without the coupon" : "")}.");

    string TellMaximum(long total) => string.Create(CultureInfo.InvariantCulture,
        $"The order would cost {total} won, and the most that can be paid at once is {options.Value.MaxPayment} won. Place several orders.");

    async Task<OrderCoupon> FindCouponAsync(long couponId, string userId, CancellationToken cancellationToken)
    {
        // The coupon may have been issued a moment ago, and its row may not be saved yet.
        return await FindAsync() ?? (await issues.WaitAsync(couponId, userId, options.Value.CouponWaitTimeout, cancellationToken))?.Status switch
        {
            CouponIssueStatus.Pending => throw new ProblemException(OrderProblems.CouponPending),
            CouponIssueStatus.Failed => throw new ProblemException(OrderProblems.CouponNotUsable, "The coupon could not be saved. The shop has been notified."),
            CouponIssueStatus.Issued => await FindAsync(),
            _ => null,
        } ?? throw new ProblemException(OrderProblems.CouponNotUsable, "You do not have this coupon.");

        Task<OrderCoupon?> FindAsync() => database.SingleAsync<OrderCoupon>(OrderCoupon.Select, new { couponId, userId }, cancellationToken);
    }

    /// <summary>Reserves the lines. Returns the epoch of the gate that holds them.</summary>
    async Task<int> ReserveAsync(
        string orderId, string userId, IReadOnlyList<(OrderLine Line, CustomerLimit Limit)> lines, CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            ReserveResult answer;
            try
            {
                answer = await gate.ReserveAsync(orderId, userId, lines, options.Value.HoldTime);
            }
            catch (Exception e) when (TransientFaults.IsTransient(e))
            {
                // The script may have run despite the failure.
                await ReleaseAsync(orderId);
                throw;
            }

            switch (answer.Verdict)
            {
                case ReserveVerdict.Held: return (int)answer.Value;
                case ReserveVerdict.UnknownProduct when attempt <= lines.Count:
                    // The product was created after the gate was opened, and the gate did not load it.
                    await inventory.LoadAsync(gate, answer.Value, cancellationToken);
                    break;
                case ReserveVerdict.OutOfStock:
                    Asked.Add(1, new KeyValuePair<string, object?>("verdict", "out-of-stock"));
                    throw new ProblemException(InventoryProblems.OutOfStock, $"Product {answer.Value} does not have enough stock left.");
                case ReserveVerdict.AboveLimit:
                    Asked.Add(1, new KeyValuePair<string, object?>("verdict", "customer-limit"));
                    throw new ProblemException(InventoryProblems.AboveCustomerLimit, TellLimit(answer, lines));
                default:
                    Asked.Add(1, new KeyValuePair<string, object?>("verdict", "closed"));
                    throw new ProblemException(InventoryProblems.GateClosed);
            }
        }
    }

    static string TellLimit(ReserveResult refusal, IReadOnlyList<(OrderLine Line, CustomerLimit Limit)> lines)
    {
        var max = lines.Single(l => l.Line.ProductId == refusal.Value).Limit.Max ?? 0;
        return string.Create(CultureInfo.InvariantCulture, $"""
            One customer can have {max} of product {refusal.Value}, and your orders have {refusal.Count}. {(refusal.Count < max ? $"Order at most {max - refusal.Count}, or cancel" : "Cancel")} an unpaid order of it first.
            """);
    }

    /// <summary>
    /// Refuses an order if the customer has <paramref name="max"/> unpaid orders. Concurrent orders of one customer wait for each other
    /// here.
    /// </summary>
    static async Task LimitUnpaidAsync(DbSession transaction, string userId, int max)
    {
        await transaction.ExecuteAsync("INSERT INTO order_queue (user_id) VALUES (@userId) ON DUPLICATE KEY UPDATE user_id = user_id", new { userId });
        var unpaid = await transaction.SingleAsync<int>("SELECT COUNT(*) FROM orders WHERE user_id = @userId AND status IN ('CREATED', 'PENDING_PAYMENT')", new { userId });
        if (unpaid < max) return;
        Asked.Add(1, new KeyValuePair<string, object?>("verdict", "too-many-unpaid"));
        throw new ProblemException(OrderProblems.TooManyUnpaid, string.Create(CultureInfo.InvariantCulture,
            $"You have {unpaid} unpaid orders, and {max} are allowed. Pay or cancel one, or wait until one expires."));
    }

    /// <summary>Inserts the payment of an order that its coupon pays. The gateway does not know this payment.</summary>
    const string InsertPayment = """
        INSERT INTO payment (id, order_id, user_id, amount, status, paid_at) VALUES (@paymentId, @OrderId, @userId, 0, 'PAID', UTC_TIMESTAMP(6))
        """;

    async Task InsertAsync(
        DbSession transaction, PlacedOrder placed, int epoch, string userId, OrderRequest request, IReadOnlyList<OrderLine> lines,
        Dictionary<long, PricedProduct> prices, OrderCoupon? coupon, long discount)
    {
        var paidByCoupon = placed.TotalAmount == 0;
        if (request.CouponId is { } couponId && await transaction.ExecuteAsync("""
                UPDATE coupon_issue SET order_id = @OrderId, used_at = IF(@paidByCoupon, UTC_TIMESTAMP(6), NULL)
                WHERE coupon_id = @couponId AND user_id = @userId AND order_id IS NULL
                """, new { placed.OrderId, couponId, userId, paidByCoupon }) == 0)
            throw new ProblemException(OrderProblems.CouponNotUsable, "Another order of yours uses this coupon.");
        var shipping = request.Shipping!;
        var items = string.Join(", ", lines.Select(l => string.Create(CultureInfo.InvariantCulture, $"(@OrderId, {l.ProductId}, {l.Quantity}, {prices[l.ProductId].Price}, {coupon?.AppliesTo(l.ProductId) ?? true})")));
        var counted = lines.Where(l => prices[l.ProductId].Counted).Select(l => string.Create(CultureInfo.InvariantCulture,
            $"({l.ProductId}, @userId, @OrderId, {l.Quantity}, {prices[l.ProductId].Limit.Max?.ToString(CultureInfo.InvariantCulture) ?? "NULL"})")).ToList();
        // One round trip sends everything, because it costs more than the rows. The epoch is locked and cannot be incremented before the
        // transaction ends.
        var inserted = await transaction.ExecuteAsync($"""
            INSERT INTO orders (id, user_id, status, total_amount, discount, coupon_id, coupon_version, hold_expires_at, paid_at)
            SELECT @OrderId, @userId, @Status, @TotalAmount, @discount, @CouponId, @Version, @HoldExpiresAt, IF(@paidByCoupon, UTC_TIMESTAMP(6), NULL)
            FROM inventory_gate WHERE id = 1 AND epoch = @epoch FOR SHARE;
            INSERT INTO shipping_info (order_id, recipient, phone, zipcode, address1, address2)
            VALUES (@OrderId, @Recipient, @Phone, @Zipcode, @Address1, @Address2);
            INSERT INTO order_item (order_id, product_id, quantity, price, discounted) VALUES {items}
            {(counted.Count > 0 ? $"; INSERT INTO counted_item (product_id, user_id, order_id, quantity, max_per_customer) VALUES {string.Join(", ", counted)}" : "")}
            {(paidByCoupon ? $"; {InsertPayment}" : "")}
            """, new
        {
            placed.OrderId, userId, placed.Status, placed.TotalAmount, discount, request.CouponId, coupon?.Version, placed.HoldExpiresAt, paidByCoupon, epoch,
            paymentId = paidByCoupon ? Guid.CreateVersion7(clock.GetUtcNow()).ToString() : null,
            shipping.Recipient, shipping.Phone, shipping.Zipcode, shipping.Address1, Address2 = shipping.Address2 ?? "",
        });
        // The gate was rebuilt without this hold, because the hold has an older epoch.
        if (inserted < 2 + lines.Count + counted.Count + (paidByCoupon ? 1 : 0)) throw new ProblemException(InventoryProblems.GateClosed);
    }

    /// <summary>Finds out whether the order was committed. If not, its hold is released.</summary>
    async Task<bool> WasCommittedAsync(string orderId)
    {
        using var deadline = new CancellationTokenSource(CommitCheckTimeout, clock);
        try
        {
            // FOR UPDATE waits for a transaction that is still open.
            if (await database.SingleAsync<int?>("SELECT 1 FROM orders WHERE id = @orderId FOR UPDATE", new { orderId }, deadline.Token) is not null) return true;
            await ReleaseAsync(orderId);
        }
        catch (Exception e) when (TransientFaults.IsTransient(e) || e is OperationCanceledException)
        {
            // The reaper compares the hold with the database after the hold's deadline.
            LogUnknownOutcome(logger, orderId, e.Message);
        }

        return false;
    }

    /// <summary>Releases a hold. If Redis is unavailable, the reaper does it after the deadline.</summary>
    Task ReleaseAsync(string orderId) => TransientFaults.TryAsync(() => gate.ReleaseAsync([orderId]), e => LogUnknownOutcome(logger, orderId, e.Message));

    [LoggerMessage(Level = LogLevel.Warning, Message = "The reaper will release the hold of order {OrderId}: {Reason}")]
    static partial void LogUnknownOutcome(ILogger logger, string orderId, string reason);

    /// <param name="MaxOfEvents">The lowest limit of the open events with this product.</param>
    sealed record PricedProduct(long Id, long Price, int? MaxPerCustomer, long? MaxOfEvents, bool Counted, DateTime Now)
    {
        public CustomerLimit Limit => new(Counted, MaxOfEvents is { } ofEvents && !(MaxPerCustomer < ofEvents) ? (int)ofEvents : MaxPerCustomer);
    }
}
