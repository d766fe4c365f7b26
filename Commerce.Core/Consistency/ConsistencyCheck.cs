using Commerce.Core.Coupons;
using Commerce.Core.Database;
using Commerce.Core.Inventory;
using Commerce.Core.Orders;
using Commerce.Core.Outbox;
using Commerce.Core.Payments;
using Microsoft.Extensions.Options;

namespace Commerce.Core.Consistency;

/// <summary>
/// Checks the invariants of docs/promises.md. They hold while the system is at rest: no request is running, and no message is on its
/// way to the database. Before that, the finding REST fails, and other findings may be premature.
/// </summary>
public sealed class ConsistencyCheck(
    MySqlDatabase database, CouponRepository coupons, CouponGate gate, InventoryRepository inventoryRepository, InventoryGate inventoryGate, InventoryReconciler inventory,
    PaymentConsistencyCheck payments, IOptions<OrderOptions> orders)
{
    /// <summary>The invariant name of findings that only tell whether the system is at rest.</summary>
    public const string AtRest = "REST";

    /// <summary>Checks all invariants.</summary>
    /// <exception cref="StackExchange.Redis.RedisException">Redis is unavailable.</exception>
    /// <exception cref="System.Data.Common.DbException">MySQL is unavailable.</exception>
    public async Task<ConsistencyReport> RunAsync(CancellationToken cancellationToken)
    {
        var findings = new List<ConsistencyFinding>
        {
            await CountAsync("I1", "issued rows ≤ the coupon's total", """
                SELECT COUNT(*) FROM coupon c JOIN (SELECT coupon_id, COUNT(*) AS issued FROM coupon_issue GROUP BY coupon_id) i ON i.coupon_id = c.id
                WHERE i.issued > c.total_quantity OR i.issued <> c.issued_quantity
                """, cancellationToken),
            await CountAsync("I2", "one row per coupon and user", """
                SELECT COUNT(*) FROM (SELECT 1 FROM coupon_issue GROUP BY coupon_id, user_id HAVING COUNT(*) > 1) twice
                """, cancellationToken),
            await CountAsync("I3", "every acceptance is honoured", "SELECT COUNT(*) FROM coupon_issue_failure", cancellationToken),
            await CountAsync("I5", "stock = initial − paid + refunded, never below 0", """
                SELECT (SELECT COUNT(*) FROM product p LEFT JOIN (SELECT product_id, SUM(delta) AS pieces FROM product_stock_audit GROUP BY product_id) a ON a.product_id = p.id
                        WHERE p.stock < 0 OR p.stock <> COALESCE(a.pieces, 0))
                     + (SELECT COUNT(*) FROM orders o JOIN order_item i ON i.order_id = o.id
                        LEFT JOIN product_stock_audit t ON t.event_id = CONCAT('placed:', o.id) AND t.product_id = i.product_id
                        LEFT JOIN product_stock_audit r ON r.event_id = CONCAT('refunded:', o.id) AND r.product_id = i.product_id
                        WHERE COALESCE(t.delta, 0) <> IF(o.status = 'PAID' AND NOT o.holding, -i.quantity, COALESCE(-r.delta, 0) - i.refunded))
                """, cancellationToken),
            await CountAsync("I7", "an order is paid exactly when its payment is captured", PaymentConsistencyCheck.Disagreeing, cancellationToken),
            await CountAsync("I8", "no message of the outbox is dead", OutboxStore.CountDead, cancellationToken),
            await CountAsync("I8", "no paid order's message is a dead letter", OrderReconciler.CountDead, cancellationToken),
            // Only recent openings are checked, because older messages are purged.
            await CountAsync("I9", "one EVENT_OPEN per event, none opened early", """
                SELECT (SELECT COUNT(*) FROM event WHERE opened_at < opens_at OR (opened_at IS NULL) <> (opening_seq IS NULL)
                          OR (status = 'OPEN' AND opened_at IS NULL) OR (status IN ('DRAFT', 'PENDING') AND opened_at IS NOT NULL)
                          OR (status = 'CLOSED' AND opened_at IS NULL AND (closes_at IS NULL OR closed_at < closes_at)))
                     + (SELECT COUNT(*) FROM event e WHERE opened_at > UTC_TIMESTAMP(6) - INTERVAL 10 MINUTE
                        AND (SELECT COUNT(*) FROM outbox o WHERE o.message_key = 'events' AND o.message_id = CONCAT('event-open:', e.id)) <> 1)
                     + (SELECT ABS(last - (SELECT COUNT(opening_seq) FROM event)) FROM event_opening)
                """, cancellationToken),
            await CountAsync("I10", "a coupon is with the one order that was made with it, and used exactly when that was paid", """
                SELECT (SELECT COUNT(*) FROM coupon_issue i LEFT JOIN orders o ON o.id = i.order_id
                        WHERE (i.order_id IS NOT NULL OR i.used_at IS NOT NULL)
                          AND (o.id IS NULL OR o.user_id <> i.user_id OR NOT o.coupon_id <=> i.coupon_id OR o.status IN ('CANCELLED', 'EXPIRED')
                            OR (i.used_at IS NOT NULL) <> (o.status IN ('PAID', 'REFUNDING', 'REFUNDED'))))
                     + (SELECT COUNT(*) FROM orders o LEFT JOIN coupon_issue i ON i.coupon_id = o.coupon_id AND i.user_id = o.user_id
                        WHERE o.coupon_id IS NOT NULL AND o.status NOT IN ('CANCELLED', 'EXPIRED') AND NOT i.order_id <=> o.id
                          AND NOT (o.status = 'REFUNDED' AND EXISTS (SELECT 1 FROM payment p JOIN refund r ON r.payment_id = p.id
                            WHERE p.order_id = o.id AND r.status = 'DONE' AND r.coupon_back AND r.expected_rest = 0)))
                """, cancellationToken),
            // A customer's last order with a limit was accepted under that limit. An order without a limit may follow it, or may have been
            // in progress when an event with a limit opened.
            await CountAsync("I11", "no customer has more of a product than a limit allowed, and every line of a product with a limit is counted", $"""
                SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM counted_item c JOIN orders o ON o.id = c.order_id WHERE o.status IN {InventoryRepository.CountedStates}
                          GROUP BY c.product_id, c.user_id
                          HAVING SUM(c.quantity - c.refunded) > MAX(c.max_per_customer)
                             AND MAX(IF(c.max_per_customer IS NULL, NULL, o.created_at))
                               > COALESCE(MAX(IF(c.max_per_customer IS NULL, o.created_at, NULL)) + INTERVAL 5 SECOND, '2000-01-01')) above)
                     + (SELECT COUNT(*) FROM product p JOIN order_item i ON i.product_id = p.id JOIN orders o ON o.id = i.order_id
                        LEFT JOIN counted_item c ON c.product_id = i.product_id AND c.user_id = o.user_id AND c.order_id = o.id
                        WHERE p.counted AND o.status IN {InventoryRepository.CountedStates} AND NOT (c.quantity <=> i.quantity AND c.refunded <=> i.refunded))
                """, cancellationToken),
            await CountAsync("I12", "no line has more units refunded than ordered, and its refunds are the finished ones that name it", """
                SELECT COUNT(*) FROM order_item i LEFT JOIN (
                  SELECT p.order_id, l.product_id, SUM(l.quantity) AS refunded, SUM(IF(l.restock, l.quantity, 0)) AS restocked, SUM(l.amount) AS amount
                  FROM refund_line l JOIN refund r ON r.id = l.refund_id JOIN payment p ON p.id = r.payment_id WHERE r.status = 'DONE' GROUP BY p.order_id, l.product_id
                ) d ON d.order_id = i.order_id AND d.product_id = i.product_id
                WHERE i.refunded > i.quantity OR i.refunded <> COALESCE(d.refunded, 0) OR i.restocked <> COALESCE(d.restocked, 0)
                   OR i.refunded_amount <> COALESCE(d.amount, 0)
                """, cancellationToken),
            await CountAsync("I12", "the lines of a refund add up to it, and an order without unrefunded units is refunded to the won", """
                SELECT (SELECT COUNT(*) FROM refund r JOIN (SELECT refund_id, SUM(amount) AS amount FROM refund_line GROUP BY refund_id) l ON l.refund_id = r.id
                        WHERE r.amount <> l.amount)
                     + (SELECT COUNT(*) FROM orders o JOIN payment p ON p.order_id = o.id WHERE p.refunded_amount < p.amount
                          AND EXISTS (SELECT 1 FROM order_item i WHERE i.order_id = o.id) AND NOT EXISTS (
                            SELECT 1 FROM order_item i WHERE i.order_id = o.id AND i.refunded < i.quantity))
                """, cancellationToken),
            await CountAsync("I12", "restocked units are in the stock exactly once", """
                SELECT (SELECT COUNT(*) FROM refund_line l JOIN refund r ON r.id = l.refund_id
                        LEFT JOIN product_stock_audit a ON a.event_id = CONCAT('refund:', l.refund_id) AND a.product_id = l.product_id
                        WHERE COALESCE(a.delta, 0) <> IF(r.status = 'DONE' AND l.restock, l.quantity, 0))
                     + (SELECT COUNT(*) FROM product_stock_audit a LEFT JOIN refund_line l ON l.refund_id = SUBSTRING(a.event_id, 8) AND l.product_id = a.product_id
                        WHERE a.event_id LIKE 'refund:%' AND l.refund_id IS NULL)
                """, cancellationToken),
            // The bucket holds the admissions of one second. In any span of an epoch, a room admits at most the bucket plus the rate times
            // the elapsed time. One microsecond covers rounding.
            await CountAsync("I14", "a waiting room admits nobody twice at a time, and nobody above its rate", """
                SELECT (SELECT COUNT(*) FROM waiting_room_admission a JOIN waiting_room_admission b
                          ON b.event_id = a.event_id AND b.user_id = a.user_id AND b.expires_at > a.expires_at AND b.admitted_at < a.expires_at)
                     + (SELECT COUNT(*) FROM (
                          SELECT rate, above, MIN(above) OVER (PARTITION BY event_id, epoch ORDER BY above_at ROWS UNBOUNDED PRECEDING) AS least
                          FROM (SELECT a.event_id, a.epoch, e.waiting_room_rate AS rate,
                                  ROW_NUMBER() OVER one AS above_at,
                                  1000000 * CAST(ROW_NUMBER() OVER one AS SIGNED) - e.waiting_room_rate * TIMESTAMPDIFF(MICROSECOND, MIN(a.admitted_at) OVER one, a.admitted_at) AS above
                                FROM waiting_room_admission a JOIN event e ON e.id = a.event_id AND e.waiting_room_rate IS NOT NULL
                                WINDOW one AS (PARTITION BY a.event_id, a.epoch ORDER BY a.admitted_at, a.user_id)) numbered) counted
                        WHERE above - least + 1000000 > rate * 1000001)
                """, cancellationToken),
            await CountAsync("I15", "an order costs its lines minus its discount, which is at most what the lines with the coupon cost", """
                SELECT COUNT(*) FROM orders o JOIN (
                  SELECT order_id, SUM(price * quantity) AS amount, SUM(IF(discounted, price * quantity, 0)) AS discounted FROM order_item GROUP BY order_id
                ) i ON i.order_id = o.id
                WHERE o.total_amount <> i.amount - o.discount OR o.discount NOT BETWEEN 0 AND i.discounted OR (o.coupon_id IS NULL) <> (o.discount = 0)
                """, cancellationToken),
            // Coupons that were changed after the order are skipped. The validity is checked a moment before the order is saved.
            await CountAsync("I15", "an order has the discount that the terms of its coupon give it", """
                SELECT (SELECT COUNT(*) FROM orders o JOIN coupon c ON c.id = o.coupon_id AND c.version = o.coupon_version JOIN (
                          SELECT order_id, SUM(IF(discounted, price * quantity, 0)) AS amount FROM order_item GROUP BY order_id) i ON i.order_id = o.id
                        WHERE o.discount <> LEAST(i.amount, c.discount, IF(c.percent IS NULL, c.discount, i.amount * c.percent DIV 100))
                           OR i.amount < c.min_order_amount OR o.created_at < c.valid_from OR o.created_at > c.valid_until + INTERVAL 1 MINUTE)
                     + (SELECT COUNT(*) FROM orders o JOIN coupon c ON c.id = o.coupon_id AND c.version = o.coupon_version JOIN order_item i ON i.order_id = o.id
                        WHERE (c.event_ids IS NULL AND i.discounted <> (c.product_ids IS NULL OR i.product_id MEMBER OF (c.product_ids)))
                           OR (NOT i.discounted AND i.product_id MEMBER OF (c.product_ids)))
                """, cancellationToken),
            await CountAsync("I16", "an order of 0 won is paid by its coupon, and the gateway does not know it", """
                SELECT (SELECT COUNT(*) FROM orders o LEFT JOIN payment p ON p.order_id = o.id
                        WHERE o.total_amount = 0 AND (o.coupon_id IS NULL OR o.status NOT IN ('PAID', 'REFUNDING', 'REFUNDED')
                          OR p.id IS NULL OR p.pg_payment_id IS NOT NULL OR p.attempt > 0))
                     + (SELECT COUNT(*) FROM payment p JOIN orders o ON o.id = p.order_id WHERE p.amount <> o.total_amount)
                """, cancellationToken),
            await CountAsync("I16", "no unpaid order costs less than the gateway takes", """
                SELECT COUNT(*) FROM orders WHERE status IN ('CREATED', 'PENDING_PAYMENT') AND total_amount < @MinPayment
                """, cancellationToken, new { orders.Value.MinPayment }),
        };
        if (await inventoryRepository.FindEpochAsync(cancellationToken) is > 0 and var epoch)
        {
            var drift = (await inventory.CompareAsync(cancellationToken)).Count;
            var miscounted = (await inventory.CompareAllCustomersAsync(cancellationToken)).Count;
            findings.Add(new("I11", "what the gate counts for customers agrees with the database", miscounted == 0, miscounted));
            findings.Add(new("I6", "what the gate has available and holds agrees with the database", drift == 0, drift));
            var open = await inventoryGate.InspectAsync() is { Current: true } state && state.Epoch == epoch;
            var unsettled = await database.SingleAsync<long>("SELECT COUNT(*) FROM orders WHERE status = 'REFUNDING' OR (status = 'PAID' AND holding)", null, cancellationToken);
            findings.Add(new(AtRest, "the inventory is open, and every paid order is off the stock", open && unsettled == 0, unsettled + (open ? 0 : 1)));
        }

        var (differences, notComparable) = await payments.CompareAsync(cancellationToken);
        findings.Add(new("I7", "at most one net capture per order, and it is what the database says is paid", differences == 0, differences, notComparable));
        var (refunds, won) = await payments.CountExternalAsync(cancellationToken);
        findings.Add(new("I7", $"given back at the gateway itself, and on record: {refunds} refunds, {won} won", true, 0));
        findings.Add(await CountAsync(AtRest, "no payment and no refund waits for the gateway", PaymentConsistencyCheck.Waiting, cancellationToken));

        var (pending, closed, unknown) = await InspectGatesAsync(cancellationToken);
        var waiting = await database.SingleAsync<long>(OutboxStore.CountPending, null, cancellationToken);
        findings.Add(new("I4", "no row that the gate does not know of", unknown == 0, unknown));
        findings.Add(new(AtRest, "nothing is pending, no gate is closed, no message waits", pending + closed + waiting == 0, pending + closed + waiting));
        return new(findings);
    }

    async Task<ConsistencyFinding> CountAsync(string invariant, string promise, string sql, CancellationToken cancellationToken, object? parameters = null)
    {
        var broken = await database.SingleAsync<long>(sql, parameters, cancellationToken);
        return new(invariant, promise, broken == 0, broken);
    }

    async Task<(long Pending, long Closed, long Unknown)> InspectGatesAsync(CancellationToken cancellationToken)
    {
        var gated = (await coupons.ListGatedAsync(cancellationToken)).Where(c => c.GateEpoch > 0).ToList();
        var (pending, closed, unknown) = (0L, 0L, 0L);
        foreach (var (coupon, state) in gated.Zip(await gate.InspectAsync(gated.ConvertAll(c => c.Id))))
        {
            if (state is not { Current: true })
            {
                closed++;
                continue;
            }

            var counts = await gate.CountAsync(coupon.Id);
            pending += counts.Pending;
            unknown += Math.Max(0, coupon.IssuedQuantity - counts.Users);
        }

        return (pending, closed, unknown);
    }
}

/// <summary>The result of a consistency check.</summary>
public sealed record ConsistencyReport(IReadOnlyList<ConsistencyFinding> Findings)
{
    /// <summary>Whether all invariants hold.</summary>
    public bool Holds => Findings.All(f => f.Holds);

    /// <summary>Describes the broken invariants.</summary>
    public override string ToString() => Holds ? "all holds" : string.Join("; ", Findings.Where(f => !f.Holds).Select(f => $"{f.Invariant} {f.Promise}: {f.Broken}"));
}

/// <summary>The result for one invariant.</summary>
/// <param name="Invariant">Its number in <c>docs/promises.md</c>.</param>
/// <param name="Broken">The number of violations.</param>
/// <param name="NotComparable">The number of items that cannot be decided, because the gateway has no ledger, or because its ledger
/// starts later (after a restart of the sandbox).</param>
public sealed record ConsistencyFinding(string Invariant, string Promise, bool Holds, long Broken, long NotComparable = 0);
