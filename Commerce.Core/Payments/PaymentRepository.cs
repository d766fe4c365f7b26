using System.Globalization;
using Commerce.Core.Database;
using Commerce.Core.Inventory;
using Commerce.Core.Orders;

namespace Commerce.Core.Payments;

/// <summary>
/// The status of payments, attempts and refunds. Each step is one transaction of conditional updates. If two processes end the same
/// attempt, one of them succeeds. The order's row is locked first.
/// </summary>
public sealed class PaymentRepository(MySqlDatabase database, OrderRepository orders, TimeProvider clock)
{
    const string LockOrder = "SELECT 1 FROM orders WHERE id = @OrderId FOR UPDATE";

    const int BatchSize = 1000;

    /// <summary>
    /// Whether the previous statement of the same command found one row. MySqlConnector counts found rows, not changed rows.
    /// </summary>
    const string FoundBefore = "ROW_COUNT() = 1";

    /// <summary>The maximum difference between the gateway's clock and ours.</summary>
    static readonly TimeSpan MaxClockSkew = TimeSpan.FromMinutes(1);

    const string OpenColumns = """
        a.payment_id AS PaymentId, a.number AS Number, a.pg_payment_id AS PgPaymentId, a.status AS Status, p.order_id AS OrderId, p.amount AS Amount,
        a.checks AS Checks, TIMESTAMPDIFF(SECOND, a.started_at, UTC_TIMESTAMP(6)) AS AgeSeconds
        """;

    /// <summary>Finds the payment of an order. Returns null if there is none.</summary>
    public Task<Payment?> FindAsync(string orderId, CancellationToken cancellationToken) =>
        database.SingleAsync<Payment>($"SELECT {Payment.Columns} FROM payment WHERE order_id = @orderId", new { orderId }, cancellationToken);

    /// <summary>Lists the attempts of a payment, oldest first.</summary>
    public Task<IReadOnlyList<PaymentAttempt>> ListAttemptsAsync(string paymentId, CancellationToken cancellationToken) =>
        database.QueryAsync<PaymentAttempt>("""
            SELECT number AS Number, pg_payment_id AS PgPaymentId, status AS Status, code AS Code, message AS Message, started_at AS StartedAt,
                   ended_at AS EndedAt
            FROM payment_attempt WHERE payment_id = @paymentId ORDER BY number
            """, new { paymentId }, cancellationToken);

    /// <summary>Lists the refunds of a payment, oldest first.</summary>
    public Task<IReadOnlyList<Refund>> ListRefundsAsync(string paymentId, CancellationToken cancellationToken) =>
        database.QueryAsync<Refund>("""
            SELECT id AS RefundId, amount AS Amount, reason AS Reason, status AS Status, code AS Code, created_at AS CreatedAt, ended_at AS EndedAt
            FROM refund WHERE payment_id = @paymentId ORDER BY created_at, id
            """, new { paymentId }, cancellationToken);

    /// <summary>Lists payments with an id below <paramref name="before"/>, newest first. Null means any.</summary>
    public Task<IReadOnlyList<Payment>> ListAsync(
        string? status, string? orderId, string? userId, string? before, int limit, CancellationToken cancellationToken) =>
        // Unused conditions are omitted, because MySQL would not use an index with them.
        database.QueryAsync<Payment>($"""
            SELECT {Payment.Columns} FROM payment
            WHERE TRUE {(status is null ? "" : "AND status = @status")} {(orderId is null ? "" : "AND order_id = @orderId")}
              {(userId is null ? "" : "AND user_id = @userId")} {(before is not { Length: > 0 } ? "" : "AND id < @before")}
            ORDER BY id DESC LIMIT @limit
            """, new { status, orderId, userId, before, limit }, cancellationToken);

    /// <summary>Counts the payments and refunds that wait for the gateway.</summary>
    public Task<long> CountWaitingAsync(CancellationToken cancellationToken) =>
        database.SingleAsync<long>(PaymentConsistencyCheck.Waiting, null, cancellationToken);

    /// <summary>
    /// Counts the payments and refunds that have been open for longer than <paramref name="limit"/>, and finds the oldest of them.
    /// Returns null if there are none.
    /// </summary>
    public Task<OverduePayments?> FindOverdueAsync(TimeSpan limit, CancellationToken cancellationToken) =>
        database.SingleAsync<OverduePayments>("""
            SELECT COUNT(*) OVER () AS Count, order_id AS OrderId, TIMESTAMPDIFF(SECOND, since, UTC_TIMESTAMP(6)) AS Seconds FROM (
              SELECT p.order_id, a.started_at AS since FROM payment_attempt a JOIN payment p ON p.id = a.payment_id
              WHERE a.check_at IS NOT NULL AND a.status IN ('INFLIGHT', 'CANCELLING')
              UNION ALL SELECT p.order_id, r.created_at FROM refund r JOIN payment p ON p.id = r.payment_id WHERE r.open_payment IS NOT NULL
            ) waiting
            WHERE since < UTC_TIMESTAMP(6) - INTERVAL @microseconds MICROSECOND ORDER BY since LIMIT 1
            """, new { microseconds = (long)limit.TotalMicroseconds }, cancellationToken);

    /// <summary>
    /// Finds or creates the payment of an order that <paramref name="userId"/> can pay with <paramref name="amount"/>. Extends the
    /// order's hold once, to <paramref name="extension"/> from now. Returns null without a change if the order cannot be paid.
    /// </summary>
    /// <param name="withinTransaction">Runs in the same transaction.</param>
    public Task<PayablePayment?> PrepareAsync(
        string userId, string orderId, long amount, TimeSpan extension, Action<DbSession, PayablePayment> withinTransaction,
        CancellationToken cancellationToken) =>
        database.TryExecuteInTransactionAsync(async transaction =>
        {
            var paymentId = NewId();
            var payment = await transaction.SingleAsync<PayablePayment>($"""
                {OrderRepository.Prepare};
                INSERT INTO payment (id, order_id, user_id, amount, status) SELECT @paymentId, @orderId, @userId, @amount, 'PENDING' FROM DUAL WHERE {FoundBefore}
                ON DUPLICATE KEY UPDATE payment.id = payment.id;
                SELECT p.id AS PaymentId, p.order_id AS OrderId, p.user_id AS UserId, p.amount AS Amount, p.status AS Status,
                       (SELECT g.name FROM order_item i JOIN product g ON g.id = i.product_id WHERE i.order_id = @orderId ORDER BY g.id LIMIT 1) AS ProductName,
                       (SELECT COUNT(*) FROM order_item WHERE order_id = @orderId) AS `Lines`,
                       (SELECT changes FROM orders WHERE id = @orderId) AS Changes, UTC_TIMESTAMP(6) AS Now
                FROM payment p WHERE p.order_id = @orderId AND {FoundBefore}
                """, new { userId, orderId, amount, paymentId, extension = (long)extension.TotalMicroseconds });
            if (payment is null) return null;
            withinTransaction(transaction, payment);
            // The payment is new, so the state of the order has changed as well.
            if (payment.PaymentId == paymentId)
                orders.Publish(transaction, new(orderId, payment.Changes, OrderState.PendingPayment, userId, amount, 0, null, null, payment.Now));
            return payment;
        }, cancellationToken);

    /// <summary>
    /// <c>PENDING → APPROVING</c>. Pins the order and records a new attempt before the gateway is called. Returns null without a change
    /// if the user has no such order, it cannot be paid, or it is being paid. It runs to its end even if the caller disconnects, because
    /// an interrupted commit could leave the order pinned without an owner.
    /// </summary>
    /// <param name="lease">The time after which the reconciler takes over.</param>
    /// <param name="withinTransaction">Runs first in the same transaction. It can throw to refuse.</param>
    /// <exception cref="ProblemException">The gateway's payment belongs to another order, or was cancelled.</exception>
    public Task<OpenAttempt?> BeginAsync(string userId, string orderId, string pgPaymentId, TimeSpan lease, Func<DbSession, Task> withinTransaction) =>
        database.TryExecuteInTransactionAsync(async transaction =>
        {
            await withinTransaction(transaction);
            // Either all statements find their row, or none changes anything. The last one also finds a gateway payment that belongs to
            // another order.
            var attempt = await transaction.SingleAsync<OpenAttempt>($"""
                UPDATE orders o STRAIGHT_JOIN payment p ON p.order_id = o.id
                SET o.pinned = TRUE, p.status = 'APPROVING', p.pg_payment_id = @pgPaymentId, p.attempt = p.attempt + 1
                WHERE o.id = @OrderId AND {OrderRepository.Pinnable} AND p.user_id = @userId AND p.status = 'PENDING';
                INSERT INTO pg_payment (pg_payment_id, payment_id) SELECT pg_payment_id, id FROM payment p WHERE ROW_COUNT() = 2 AND p.order_id = @OrderId
                ON DUPLICATE KEY UPDATE pg_payment.pg_payment_id = pg_payment.pg_payment_id;
                INSERT INTO payment_attempt (payment_id, number, pg_payment_id, status, check_at)
                SELECT id, attempt, pg_payment_id, 'INFLIGHT', UTC_TIMESTAMP(6) + INTERVAL @microseconds MICROSECOND FROM payment
                WHERE {FoundBefore} AND order_id = @OrderId;
                SELECT a.payment_id AS PaymentId, a.number AS Number, a.pg_payment_id AS PgPaymentId,
                       IF(g.payment_id = p.id AND NOT EXISTS (
                         SELECT 1 FROM payment_attempt b WHERE b.payment_id = p.id AND b.pg_payment_id = p.pg_payment_id AND b.status IN ('CANCELLING', 'CANCELLED')),
                         a.status, '{AttemptState.Refused}') AS Status,
                       p.order_id AS OrderId, p.amount AS Amount, a.checks AS Checks, CAST(0 AS SIGNED) AS AgeSeconds
                FROM payment p JOIN payment_attempt a ON a.payment_id = p.id AND a.number = p.attempt JOIN pg_payment g ON g.pg_payment_id = p.pg_payment_id
                WHERE {FoundBefore} AND p.order_id = @OrderId
                """, new { OrderId = orderId, userId, pgPaymentId, microseconds = (long)lease.TotalMicroseconds });
            return attempt?.Status == AttemptState.Refused ? throw new ProblemException(PaymentProblems.Mismatch) : attempt;
        }, CancellationToken.None);

    /// <summary>
    /// Commits a correct capture: attempt, payment and order are paid, and <c>ORDER_PLACED</c> is in the outbox. An abandoned attempt
    /// still pays the order if it is payable. Returns false if another process ended the attempt, or the order cannot be paid.
    /// </summary>
    /// <param name="withinTransaction">Runs in the same transaction.</param>
    public Task<bool> PayAsync(OpenAttempt attempt, Action<DbSession>? withinTransaction) =>
        database.TryExecuteInTransactionAsync(async transaction =>
        {
            // The attempt is resumed as if it had not been abandoned.
            if (attempt.Status == AttemptState.Abandoned && await transaction.ExecuteAsync($"""
                    UPDATE orders o SET o.pinned = TRUE WHERE o.id = @OrderId AND {OrderRepository.Pinnable};
                    UPDATE payment SET status = 'SETTLING', pg_payment_id = @PgPaymentId WHERE id = @PaymentId AND status = 'PENDING'
                    """, attempt) < 2) return false;
            // The statement changes all three rows or none. It finds no row if no attempt has pinned the order, which must not happen. The
            // order's row is locked first.
            var lines = await transaction.QueryAsync<PaidLine>($"""
                UPDATE orders o STRAIGHT_JOIN payment p ON p.order_id = o.id STRAIGHT_JOIN payment_attempt a ON a.payment_id = p.id
                SET o.changes = o.changes + 1, o.status = 'PAID', o.pinned = FALSE, o.paid_at = UTC_TIMESTAMP(6), p.status = 'PAID', p.paid_at = UTC_TIMESTAMP(6),
                    a.status = 'SUCCEEDED', a.ended_at = UTC_TIMESTAMP(6), a.check_at = NULL
                WHERE o.id = @OrderId AND o.status = 'PENDING_PAYMENT' AND o.pinned
                  AND p.id = @PaymentId AND p.pg_payment_id = @PgPaymentId AND p.status IN ('APPROVING', 'SETTLING') AND a.number = @Number AND a.status = @Status;
                {PaidLine.Select} AND ROW_COUNT() = 3 ORDER BY i.product_id
                """, attempt);
            if (lines.Count == 0) return false;
            orders.AnnounceAtCommit(transaction, attempt.OrderId, lines);
            withinTransaction?.Invoke(transaction);
            return true;
        }, CancellationToken.None);

    /// <summary>
    /// Marks a capture for cancellation before the gateway is called, so that it never counts as a payment. Returns false if another
    /// process ended the attempt, or a later attempt uses the same gateway payment.
    /// </summary>
    public Task<bool> BeginCancelAsync(OpenAttempt attempt, string code, TimeSpan lease) =>
        database.TryExecuteInTransactionAsync(async transaction =>
        {
            await LockOrderAsync(transaction, attempt);
            if (attempt.Status == AttemptState.Abandoned && await transaction.SingleAsync<int?>(
                    "SELECT 1 FROM payment WHERE id = @PaymentId AND pg_payment_id = @PgPaymentId", attempt) is not null) return false;
            if (await transaction.ExecuteAsync("""
                    UPDATE payment_attempt SET status = 'CANCELLING', code = @code, check_at = UTC_TIMESTAMP(6) + INTERVAL @microseconds MICROSECOND
                    WHERE payment_id = @PaymentId AND number = @Number AND status = @Status
                    """, new { attempt.PaymentId, attempt.Number, attempt.Status, code, microseconds = (long)lease.TotalMicroseconds }) == 0) return false;
            await transaction.ExecuteAsync(
                "UPDATE payment SET status = 'CANCELLING' WHERE id = @PaymentId AND attempt = @Number AND status IN ('APPROVING', 'SETTLING')", attempt);
            return true;
        }, CancellationToken.None);

    /// <summary>
    /// Ends an attempt without a capture. The order is payable again. Returns false if another process ended the attempt.
    /// </summary>
    /// <param name="status"><see cref="AttemptState.Refused"/>, <see cref="AttemptState.Cancelled"/> or
    /// <see cref="AttemptState.Abandoned"/>.</param>
    /// <param name="code">The reason. Null keeps the known one.</param>
    /// <param name="recheckAfter">The time until the next check of an abandoned attempt.</param>
    public Task<bool> EndAsync(OpenAttempt attempt, string status, string? code = null, string? message = null, TimeSpan? recheckAfter = null) =>
        database.TryExecuteInTransactionAsync(async transaction =>
        {
            if (await transaction.ExecuteAsync($"""
                    {LockOrder};
                    UPDATE payment_attempt
                    SET status = @status, code = COALESCE(@code, code), message = LEFT(@message, 500), ended_at = UTC_TIMESTAMP(6), checks = 0,
                        check_at = UTC_TIMESTAMP(6) + INTERVAL @microseconds MICROSECOND
                    WHERE payment_id = @PaymentId AND number = @Number AND status = @before
                    """, new
                {
                    attempt.OrderId, attempt.PaymentId, attempt.Number, before = attempt.Status, status, code, message,
                    microseconds = (long?)recheckAfter?.TotalMicroseconds,
                }) == 0) return false;
            // The order is unpinned and its payment is pending, unless a later attempt is running. Another order may use a refused gateway
            // payment, unless an attempt of this order may still capture it.
            await transaction.ExecuteAsync($"""
                UPDATE payment SET status = 'PENDING', pg_payment_id = NULL
                WHERE id = @PaymentId AND attempt = @Number AND status IN ('APPROVING', 'SETTLING', 'CANCELLING');
                {OrderRepository.Unpin} AND (SELECT status FROM payment WHERE id = @PaymentId) = 'PENDING';
                DELETE FROM pg_payment WHERE @refused AND pg_payment_id = @PgPaymentId AND payment_id = @PaymentId AND NOT EXISTS (
                  SELECT 1 FROM payment_attempt a WHERE a.payment_id = @PaymentId AND a.pg_payment_id = @PgPaymentId AND a.status <> 'REFUSED')
                """, new { attempt.OrderId, attempt.PaymentId, attempt.Number, attempt.PgPaymentId, refused = status == AttemptState.Refused });
            return true;
        }, CancellationToken.None);

    /// <summary>Postpones the check of an attempt with an unknown outcome.</summary>
    public Task<bool> WaitAsync(OpenAttempt attempt, TimeSpan delay) =>
        database.ExecuteInTransactionAsync(async transaction =>
        {
            await LockOrderAsync(transaction, attempt);
            await transaction.ExecuteAsync(
                "UPDATE payment SET status = 'SETTLING' WHERE id = @PaymentId AND attempt = @Number AND status = 'APPROVING'", attempt);
            return await transaction.ExecuteAsync("""
                UPDATE payment_attempt SET check_at = UTC_TIMESTAMP(6) + INTERVAL @microseconds MICROSECOND
                WHERE payment_id = @PaymentId AND number = @Number AND status = @Status
                """, new { attempt.PaymentId, attempt.Number, attempt.Status, microseconds = (long)delay.TotalMicroseconds }) == 1;
        }, CancellationToken.None);

    /// <summary>The gateway reported something new about an abandoned attempt. It is checked at once.</summary>
    public Task WatchAsync(OpenAttempt attempt) =>
        database.ExecuteAsync("""
            UPDATE payment_attempt SET check_at = UTC_TIMESTAMP(6), checks = 0 WHERE payment_id = @PaymentId AND number = @Number AND status = 'ABANDONED'
            """, attempt, CancellationToken.None);

    /// <summary>Stops checking an abandoned attempt that was not captured.</summary>
    public Task ForgetAsync(OpenAttempt attempt) =>
        database.ExecuteAsync(
            "UPDATE payment_attempt SET check_at = NULL WHERE payment_id = @PaymentId AND number = @Number AND status = 'ABANDONED'", attempt, CancellationToken.None);

    /// <summary>Takes due attempts. Each is leased to one caller for <paramref name="lease"/>.</summary>
    public async Task<IReadOnlyList<OpenAttempt>> TakeDueAttemptsAsync(int limit, TimeSpan lease, CancellationToken cancellationToken)
    {
        const string Due = "check_at <= UTC_TIMESTAMP(6)";
        if (await database.SingleAsync<int?>($"SELECT 1 FROM payment_attempt WHERE {Due} LIMIT 1", null, cancellationToken) is null) return [];
        return await database.ExecuteInTransactionAsync(async transaction =>
        {
            var due = await transaction.QueryAsync<OpenAttempt>($"""
                SELECT {OpenColumns} FROM payment_attempt a JOIN payment p ON p.id = a.payment_id WHERE a.{Due} ORDER BY a.check_at LIMIT @limit
                FOR UPDATE OF a SKIP LOCKED
                """, new { limit });
            foreach (var attempt in due)
                await transaction.ExecuteAsync("""
                    UPDATE payment_attempt SET check_at = UTC_TIMESTAMP(6) + INTERVAL @microseconds MICROSECOND, checks = checks + 1
                    WHERE payment_id = @PaymentId AND number = @Number
                    """, new { attempt.PaymentId, attempt.Number, microseconds = (long)lease.TotalMicroseconds });
            return due;
        }, cancellationToken);
    }

    /// <summary>
    /// Records a refund before the gateway is called. A repetition of the same <paramref name="request"/> gets the existing refund.
    /// </summary>
    /// <param name="scope">What is refunded.</param>
    /// <param name="request">The scope of the idempotent request. Null for a refund by the system.</param>
    /// <param name="lease">The time after which the reconciler takes over.</param>
    /// <param name="withinTransaction">Runs first in the same transaction. It can throw to refuse.</param>
    /// <returns>The refund, and whether it is new.</returns>
    /// <exception cref="ProblemException">Nothing can be refunded, the amount is too large, or another refund is in progress.</exception>
    public Task<(OpenRefund Refund, bool IsNew)> RequestRefundAsync(
        string orderId, RefundScope scope, string reason, string requestedBy, byte[]? request, TimeSpan lease, Func<DbSession, Task>? withinTransaction,
        CancellationToken cancellationToken) =>
        database.ExecuteInTransactionAsync(async transaction =>
        {
            if (withinTransaction is not null) await withinTransaction(transaction);
            var payment = await transaction.SingleAsync<Payment>($"SELECT {Payment.Columns} FROM payment WHERE order_id = @orderId FOR UPDATE", new { orderId })
                ?? throw new ProblemException(PaymentProblems.NotFound);
            if (request is not null && await transaction.SingleAsync<OpenRefund>(
                    $"SELECT {OpenRefund.Columns} FROM refund r JOIN payment p ON p.id = r.payment_id WHERE r.request = @request", new { request }) is { } known)
                return (known, false);
            var rest = payment.Amount - payment.RefundedAmount;
            if (payment.Status is PaymentState.Approving or PaymentState.Settling)
                throw new ProblemException(PaymentProblems.InProgress, "The outcome of the payment is not known yet.");
            if (payment.Status is not (PaymentState.Paid or PaymentState.PartiallyRefunded))
                throw new ProblemException(PaymentProblems.NotRefundable, "The order is not paid, or fully refunded.");
            if (await transaction.SingleAsync<int?>("SELECT 1 FROM refund WHERE open_payment = @PaymentId", payment) is not null)
                throw new ProblemException(PaymentProblems.InProgress, "Another refund is in progress.");
            // A coupon paid the order, so the refund frees the coupon.
            var paidByCoupon = payment.Amount == 0;
            if (paidByCoupon && scope.Lines is not null)
                throw new ProblemException(PaymentProblems.NotRefundable, "Nothing was paid for this order. Refund it as a whole, with the amount 0.");
            if (!paidByCoupon && scope.Amount == 0) throw new ProblemException(PaymentProblems.NotRefundable, "The amount 0 refunds an order that its coupon paid. Refund at least 1 won of this one.");
            if (scope.Amount > rest) throw new ProblemException(PaymentProblems.NotRefundable, $"At most {rest} won can be refunded.");
            var lines = scope.Lines is { } named ? await PriceAsync(transaction, orderId, named, rest) : [];
            var back = scope.Lines is null ? scope.Amount ?? rest : lines.Sum(l => l.Amount);
            if (scope.CouponBack && back < rest)
                throw new ProblemException(PaymentProblems.NotRefundable, $"The coupon is given back with the last won of the order, and {rest - back} won would be left.");
            var id = NewId();
            var rows = string.Concat(lines.Select(l => string.Create(CultureInfo.InvariantCulture, $", (@id, {l.ProductId}, {l.Quantity}, {l.Amount}, {l.Restock})")));
            await transaction.ExecuteAsync($"""
                INSERT INTO refund (id, payment_id, request, amount, expected_rest, reason, requested_by, status, coupon_back, check_at)
                VALUES (@id, @PaymentId, @request, @back, @expectedRest, @reason, @requestedBy, 'REQUESTED', @CouponBack,
                        UTC_TIMESTAMP(6) + INTERVAL @microseconds MICROSECOND)
                {(rows.Length > 0 ? $"; INSERT INTO refund_line (refund_id, product_id, quantity, amount, restock) VALUES {rows[2..]}" : "")}
                """, new
            {
                id, payment.PaymentId, request, back, expectedRest = rest - back, reason, requestedBy, CouponBack = scope.CouponBack || paidByCoupon, microseconds = (long)lease.TotalMicroseconds,
            });
            return (new OpenRefund(
                id, payment.PaymentId, orderId, payment.PgPaymentId, back, rest - back, reason, RefundState.Requested, null, 0, 0, clock.GetUtcNow().UtcDateTime), true);
        }, cancellationToken);

    /// <summary>
    /// Calculates the amounts of the lines of a refund, which together are at most <paramref name="rest"/>. They are less than what the
    /// lines have paid if amounts were refunded before. The payment's row is locked, so no other refund changes the lines.
    /// </summary>
    static async Task<IReadOnlyList<PricedRefundLine>> PriceAsync(DbSession transaction, string orderId, IReadOnlyList<RefundLine> named, long rest)
    {
        var order = (await transaction.SingleAsync<RefundableOrder>(
            "SELECT status AS Status, holding AS Holding, discount AS Discount, fulfilment AS Fulfilment FROM orders WHERE id = @orderId", new { orderId }))!;
        if (order.Status != OrderState.Paid) throw new ProblemException(PaymentProblems.NotRefundable, $"The order is {order.Status}.");
        if (order.Holding) throw new ProblemException(PaymentProblems.InProgress, "The stock of the order is not deducted yet.");
        var items = await transaction.QueryAsync<OrderItem>(
            $"SELECT {OrderItem.Columns} FROM order_item WHERE order_id = @orderId ORDER BY product_id", new { orderId });
        var lines = new List<PricedRefundLine>();
        foreach (var (item, amount) in items.Zip(items.SplitAmounts(order.Discount)))
        {
            if (named.FirstOrDefault(l => l.ProductId == item.ProductId) is not { } line) continue;
            if (line.Quantity > item.Quantity - item.RefundedQuantity)
                throw new ProblemException(PaymentProblems.NotRefundable, $"At most {item.Quantity - item.RefundedQuantity} of product {item.ProductId} can be refunded.");
            var back = Math.Min(rest, LineAmounts.Of(amount, item.Quantity, item.RefundedQuantity, line.Quantity));
            rest -= back;
            lines.Add(new(
                item.ProductId, line.Quantity, back, line.Restock ?? order.Fulfilment is null or FulfilmentState.Preparing));
        }

        if (named.FirstOrDefault(l => lines.TrueForAll(i => i.ProductId != l.ProductId)) is { } unknown)
            throw new ProblemException(PaymentProblems.NotRefundable, $"Product {unknown.ProductId} is not in the order.");
        if (lines.Sum(l => l.Amount) == 0)
            throw new ProblemException(PaymentProblems.NotRefundable, "Nothing was paid for these units after the discount. Refund them together with others.");
        return lines;
    }

    /// <summary>
    /// Completes a refund and takes the units of its lines off the order. A full refund also ends the order and returns its stock. Pass
    /// the result to <see cref="InventoryRepository.ReturnAsync"/> after the commit.
    /// </summary>
    /// <param name="historyId">The id of the cancel in the gateway's history.</param>
    public async Task<StockReturn?> CompleteRefundAsync(OpenRefund refund, string? historyId)
    {
        var returned = await database.ExecuteInTransactionAsync(async transaction =>
        {
            await transaction.SingleAsync<int>(LockOrder, refund);
            var (completed, stock) = await CompleteRefundAsync(transaction, refund, historyId);
            if (completed) await orders.PublishAsync(transaction, [refund.OrderId]);
            return stock;
        }, CancellationToken.None);
        orders.Wake();
        return returned;
    }

    static async Task<(bool Completed, StockReturn? Returned)> CompleteRefundAsync(DbSession transaction, OpenRefund refund, string? historyId)
    {
        if (await transaction.ExecuteAsync("""
                UPDATE refund SET status = 'DONE', code = NULL, history_id = @historyId, expected_rest = @ExpectedRest, ended_at = UTC_TIMESTAMP(6), check_at = NULL
                WHERE id = @Id AND status = 'REQUESTED'
                """, new { refund.Id, refund.ExpectedRest, historyId }) == 0) return (false, null);
        var lines = await transaction.QueryAsync<(long ProductId, int Quantity, bool Restock)>(
            "SELECT product_id, quantity, restock FROM refund_line WHERE refund_id = @Id ORDER BY product_id", refund);
        var named = lines.Count == 0 ? null : await OrderRepository.RefundLinesAsync(
            transaction, refund.OrderId, refund.Id, [.. lines.Select(l => new ReturnedLine(l.ProductId, l.Restock ? l.Quantity : 0, l.Quantity))]);
        var others = await SetRemainingAsync(transaction, refund.PaymentId, refund.OrderId, refund.ExpectedRest);
        if (refund.ExpectedRest == 0) await OrderRepository.ReturnCouponAsync(transaction, refund.OrderId, refund.Id);
        return (true, StockReturn.Combine(named, others));
    }

    /// <summary>Sets the remaining amount of a payment.</summary>
    static async Task<StockReturn?> SetRemainingAsync(DbSession transaction, string paymentId, string orderId, long rest)
    {
        await transaction.ExecuteAsync($"""
            UPDATE payment SET status = IF(@rest = 0, 'REFUNDED', 'PARTIALLY_REFUNDED'), refunded_amount = amount - @rest WHERE id = @paymentId
            {(rest > 0 ? $"; {OrderRepository.NoteChange}" : "")}
            """, new { paymentId, orderId, rest });
        return rest == 0 ? await OrderRepository.RefundAsync(transaction, orderId) : null;
    }

    /// <summary>
    /// Compares the gateway's history of a paid payment with the recorded refunds, and records unknown cancels as
    /// <see cref="RefundState.External"/>. Returns null without a change if the payment is not paid, or if another refund than
    /// <paramref name="refund"/> is running, because its cancel would be taken for an external one.
    /// </summary>
    /// <param name="refund">A refund that the gateway rejected. Its new state is in the result.</param>
    /// <param name="mayBeDone">Whether an earlier call, whose response was lost, may have refunded it.</param>
    /// <param name="code">The reason why the gateway rejected it.</param>
    public async Task<HistoryComparison?> CompareAsync(
        string pgPaymentId, FindOutcome.Found history, OpenRefund? refund = null, bool mayBeDone = false, string code = "")
    {
        var comparison = await CompareInTransactionAsync(pgPaymentId, history, refund, mayBeDone, code);
        if (comparison is not null) orders.Wake();
        return comparison;
    }

    Task<HistoryComparison?> CompareInTransactionAsync(string pgPaymentId, FindOutcome.Found history, OpenRefund? refund, bool mayBeDone, string code) =>
        database.TryExecuteInTransactionAsync(async transaction =>
        {
            if (await transaction.SingleAsync<PaidPayment>("""
                    SELECT p.id AS PaymentId, p.order_id AS OrderId FROM pg_payment g JOIN payment p ON p.id = g.payment_id AND p.pg_payment_id = g.pg_payment_id
                    WHERE g.pg_payment_id = @pgPaymentId
                    """, new { pgPaymentId }) is not { } paid) return null;
            await transaction.SingleAsync<int>(LockOrder, paid);
            var payment = (await transaction.SingleAsync<Payment>($"SELECT {Payment.Columns} FROM payment WHERE id = @PaymentId FOR UPDATE", paid))!;
            if (payment.Status is not (PaymentState.Paid or PaymentState.PartiallyRefunded) || payment.PgPaymentId != pgPaymentId) return null;
            var refunds = await transaction.QueryAsync<KnownRefund>(
                "SELECT id AS Id, amount AS Amount, status AS Status, history_id AS HistoryId FROM refund WHERE payment_id = @PaymentId ORDER BY id FOR UPDATE", paid);
            if (refunds.FirstOrDefault(r => r.Status == RefundState.Requested)?.Id != refund?.Id) return null;

            var unknown = history.Cancels.Where(c => refunds.All(r => r.HistoryId is null || r.HistoryId != c.HistoryId)).ToList();
            // A refund of an earlier version has no history id. Only its amount identifies its entry.
            foreach (var old in refunds.Where(r => r is { Status: RefundState.Done or RefundState.External, HistoryId: null }))
                if (unknown.FindIndex(c => c.Amount == old.Amount) is >= 0 and var known) unknown.RemoveAt(known);
            // The entry counts as our refund and not as an external one: the response was lost, and the gateway has forgotten the key.
            var mine = mayBeDone && refund is not null
                ? unknown.Find(c => c.Amount == refund.Amount && (c.At is null || c.At > refund.CreatedAt - MaxClockSkew)) : null;
            if (mine is not null) unknown.Remove(mine);

            var rest = payment.Amount - payment.RefundedAmount;
            foreach (var cancel in unknown)
            {
                rest -= cancel.Amount;
                await transaction.ExecuteAsync("""
                    INSERT INTO refund (id, payment_id, amount, expected_rest, reason, requested_by, status, history_id, created_at, ended_at)
                    VALUES (@id, @PaymentId, @Amount, @rest, 'Refunded at the gateway', 'gateway', 'EXTERNAL', @HistoryId, COALESCE(@At, UTC_TIMESTAMP(6)),
                      UTC_TIMESTAMP(6))
                    """, new { id = NewId(), paid.PaymentId, cancel.Amount, rest, cancel.HistoryId, cancel.At });
            }

            var returned = unknown.Count > 0 ? await SetRemainingAsync(transaction, paid.PaymentId, paid.OrderId, rest) : null;
            if (unknown.Count > 0 && mine is null) await orders.PublishAsync(transaction, [paid.OrderId]);
            if (refund is null) return new HistoryComparison(unknown, returned);
            if (mine is not null)
            {
                refund = refund with { Status = RefundState.Done, ExpectedRest = rest - mine.Amount };
                var (_, stock) = await CompleteRefundAsync(transaction, refund, mine.HistoryId);
                await orders.PublishAsync(transaction, [paid.OrderId]);
                return new HistoryComparison(unknown, stock) { Refund = refund };
            }

            refund = unknown.Count > 0 && refund.Amount <= rest
                ? refund with { ExpectedRest = rest - refund.Amount, Rebased = refund.Rebased + 1 }
                : refund with { Status = RefundState.Refused, Code = code };
            await transaction.ExecuteAsync("""
                UPDATE refund
                SET expected_rest = @ExpectedRest, rebased = @Rebased, status = @Status, code = @Code, check_at = IF(@Status = 'REQUESTED', check_at, NULL),
                    ended_at = IF(@Status = 'REQUESTED', NULL, UTC_TIMESTAMP(6))
                WHERE id = @Id AND status = 'REQUESTED'
                """, refund);
            return new HistoryComparison(unknown, returned) { Refund = refund };
        }, CancellationToken.None);

    /// <summary>
    /// Claims the next history query and returns its start. Returns null if the query is not due, or another process runs it.
    /// </summary>
    /// <param name="every">The minimum time between two queries.</param>
    public Task<DateTime?> ClaimHistoryAsync(TimeSpan every, CancellationToken cancellationToken) =>
        database.ExecuteInTransactionAsync(async transaction => await transaction.ExecuteAsync("""
            UPDATE gateway_history SET next_read_at = UTC_TIMESTAMP(6) + INTERVAL @microseconds MICROSECOND WHERE id = 1 AND next_read_at <= UTC_TIMESTAMP(6)
            """, new { microseconds = (long)every.TotalMicroseconds }) == 0
            ? null
            : await transaction.SingleAsync<DateTime?>("SELECT read_until FROM gateway_history WHERE id = 1"), cancellationToken);

    /// <summary>Records that all cancels before <paramref name="until"/> are in the database.</summary>
    public Task AdvanceHistoryAsync(DateTime until, CancellationToken cancellationToken) =>
        database.ExecuteAsync("UPDATE gateway_history SET read_until = GREATEST(read_until, @until) WHERE id = 1", new { until }, cancellationToken);

    /// <summary>Lists the paid payments with an unrecorded cancel among these.</summary>
    public async Task<IReadOnlyList<string>> ListUnrecordedAsync(IReadOnlyList<GatewayCancel> cancels, CancellationToken cancellationToken)
    {
        var unrecorded = new List<string>();
        foreach (var chunk in cancels.Chunk(BatchSize))
        {
            var recorded = (await database.QueryAsync<string>(
                "SELECT history_id FROM refund WHERE history_id IN @ids", new { ids = chunk.Select(c => c.HistoryId) }, cancellationToken)).ToHashSet(StringComparer.Ordinal);
            var ids = chunk.Where(c => c.HistoryId is null || !recorded.Contains(c.HistoryId)).Select(c => c.PgPaymentId).Distinct().ToArray();
            if (ids.Length == 0) continue;
            unrecorded.AddRange(await database.QueryAsync<string>("""
                SELECT g.pg_payment_id FROM pg_payment g JOIN payment p ON p.id = g.payment_id AND p.pg_payment_id = g.pg_payment_id
                WHERE g.pg_payment_id IN @ids AND p.status IN ('PAID', 'PARTIALLY_REFUNDED')
                """, new { ids }, cancellationToken));
        }

        return unrecorded;
    }

    /// <summary>Postpones the check of an unconfirmed refund.</summary>
    public Task WaitAsync(OpenRefund refund, TimeSpan delay) =>
        database.ExecuteAsync("""
            UPDATE refund SET check_at = UTC_TIMESTAMP(6) + INTERVAL @microseconds MICROSECOND WHERE id = @Id AND status = 'REQUESTED'
            """, new { refund.Id, microseconds = (long)delay.TotalMicroseconds }, CancellationToken.None);

    /// <summary>Takes due refunds. Each is leased to one caller for <paramref name="lease"/>.</summary>
    public async Task<IReadOnlyList<OpenRefund>> TakeDueRefundsAsync(int limit, TimeSpan lease, CancellationToken cancellationToken)
    {
        const string Due = "check_at <= UTC_TIMESTAMP(6)";
        if (await database.SingleAsync<int?>($"SELECT 1 FROM refund WHERE {Due} LIMIT 1", null, cancellationToken) is null) return [];
        return await database.ExecuteInTransactionAsync(async transaction =>
        {
            var due = await transaction.QueryAsync<OpenRefund>($"""
                SELECT {OpenRefund.Columns} FROM refund r JOIN payment p ON p.id = r.payment_id WHERE r.{Due} ORDER BY r.check_at LIMIT @limit
                FOR UPDATE OF r SKIP LOCKED
                """, new { limit });
            if (due.Count > 0)
                await transaction.ExecuteAsync(
                    "UPDATE refund SET check_at = UTC_TIMESTAMP(6) + INTERVAL @microseconds MICROSECOND, checks = checks + 1 WHERE id IN @ids",
                    new { ids = due.Select(r => r.Id), microseconds = (long)lease.TotalMicroseconds });
            return due;
        }, cancellationToken);
    }

    /// <summary>
    /// Lists paid orders without stock and without a running refund. After a rejection an order is listed again after
    /// <paramref name="again"/>, which doubles each time, up to 6 h.
    /// </summary>
    public Task<IReadOnlyList<string>> ListShortfallsAsync(int limit, TimeSpan again, CancellationToken cancellationToken) =>
        // The exponent is limited to prevent an overflow. The 6 h apply by then.
        database.QueryAsync<string>("""
            SELECT o.id FROM orders o JOIN payment p ON p.order_id = o.id
            WHERE NOT o.holding AND o.status = 'REFUNDING' AND p.status IN ('PAID', 'PARTIALLY_REFUNDED')
              AND NOT EXISTS (SELECT 1 FROM refund r WHERE r.payment_id = p.id AND r.status = 'REQUESTED')
              AND NOT EXISTS (
                SELECT 1 FROM refund r WHERE r.payment_id = p.id AND r.status = 'REFUSED' AND r.requested_by = 'system'
                HAVING MAX(r.ended_at) > UTC_TIMESTAMP(6) - INTERVAL LEAST(@seconds * POW(2, LEAST(COUNT(*) - 1, 20)), 6 * 3600) SECOND)
            LIMIT @limit
            """, new { limit, seconds = again.TotalSeconds }, cancellationToken);

    static Task<int> LockOrderAsync(DbSession transaction, OpenAttempt attempt) =>
        transaction.SingleAsync<int>(LockOrder, new { attempt.OrderId });

    sealed record RefundableOrder(string Status, bool Holding, long Discount, string? Fulfilment);

    sealed record PaidPayment(string PaymentId, string OrderId);

    sealed record KnownRefund(string Id, long Amount, string Status, string? HistoryId);

    string NewId() => Guid.CreateVersion7(clock.GetUtcNow()).ToString();
}
