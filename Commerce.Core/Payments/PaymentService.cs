using System.Globalization;
using Commerce.Core.Database;
using Commerce.Core.Orders;
using Microsoft.Extensions.Options;

namespace Commerce.Core.Payments;

/// <summary>A payment that can be approved.</summary>
/// <param name="Amount">The amount to pay, in whole KRW.</param>
/// <param name="PayUrl">The address of the payment window for the user's browser.</param>
public sealed record PreparedPayment(string PaymentId, string OrderId, long Amount, string Status, Uri PayUrl);

/// <summary>The result of an approval.</summary>
/// <param name="Status"><c>PAID</c>, or <c>SETTLING</c> while the outcome is unknown.</param>
public sealed record ApprovedPayment(string OrderId, string PaymentId, string Status);

/// <summary>The result of a refund.</summary>
/// <param name="Status"><c>REFUNDED</c>, <c>PARTIALLY_REFUNDED</c>, or <c>SETTLING</c> while the gateway has not confirmed
/// it.</param>
/// <param name="Amount">The refunded amount in whole KRW.</param>
public sealed record RefundedPayment(string OrderId, string RefundId, string Status, long Amount);

/// <summary>
/// Payments in two steps. A payment is prepared, and then approved after the user has authorised it in the payment window. The
/// gateway is called outside of transactions. The database records the progress before and after the call, and the reconciler
/// finishes what this process cannot.
/// </summary>
public sealed class PaymentService(
    MySqlDatabase database, OrderRepository orders, PaymentRepository payments, PaymentSettlement settlement, PaymentGateway gateway, IOptions<PaymentOptions> options)
{
    /// <summary>Prepares the payment of an order. Preparing it again changes nothing.</summary>
    /// <param name="amount">The amount that the user expects, in whole KRW.</param>
    /// <param name="shop">The address to which the browser returns.</param>
    /// <param name="withinTransaction">Runs in the same transaction. Stores the response of an idempotent request.</param>
    /// <exception cref="ProblemException">The order cannot be paid.</exception>
    public async Task PrepareAsync(
        string userId, string orderId, long amount, Uri shop, Action<DbSession, PreparedPayment> withinTransaction, CancellationToken cancellationToken)
    {
        // The deadline in the gate does not change. After it the reaper finds the extended hold in MySQL.
        var payment = await payments.PrepareAsync(userId, orderId, amount, options.Value.Extension, (transaction, p) => withinTransaction(
            transaction, new(p.PaymentId, p.OrderId, p.Amount, p.Status, PayUrl(p, shop))), cancellationToken);
        if (payment is not null) return;
        var state = await GetStateAsync(userId, orderId, cancellationToken);
        if (state.Status is OrderState.Created or OrderState.PendingPayment && amount != state.TotalAmount)
            throw new ProblemException(PaymentProblems.AmountMismatch, $"The order total is {state.TotalAmount} won.");
        throw Explain(state);
    }

    /// <summary>
    /// Captures an authorised payment. The gateway is called once for any number of concurrent requests. The method runs to its end even
    /// if the caller disconnects.
    /// </summary>
    /// <param name="pgPaymentId">The id from the payment window: up to 64 visible characters.</param>
    /// <param name="withBeginning">Runs in the first transaction. Claims the key of an idempotent request.</param>
    /// <param name="withPayment">Runs in the transaction of the payment if this call makes it. Stores the response.</param>
    /// <exception cref="ProblemException">The order is not paid.</exception>
    public async Task<ApprovedPayment> ApproveAsync(
        string userId, string orderId, string pgPaymentId, Func<DbSession, Task> withBeginning, Action<DbSession, ApprovedPayment> withPayment,
        CancellationToken cancellationToken)
    {
        if (await payments.BeginAsync(userId, orderId, pgPaymentId, settlement.ApproveLease, withBeginning) is not { } attempt)
            return await FindAnswerAsync(userId, orderId, pgPaymentId, cancellationToken);
        Checkpoints.Reach(Checkpoints.BeforeApprove);
        var key = string.Create(CultureInfo.InvariantCulture, $"{attempt.PaymentId}:{attempt.Number}");
        var outcome = await gateway.ApproveAsync(pgPaymentId, key, CancellationToken.None);
        Checkpoints.Reach(Checkpoints.AfterApprove);
        var paid = new ApprovedPayment(orderId, attempt.PaymentId, PaymentState.Paid);
        var (settled, code, message) = outcome switch
        {
            ApproveOutcome.Approved a => (await settlement.SettleAsync(attempt, new FindOutcome.Found(a.Amount, 0, a.OrderId), WithPayment), "", ""),
            ApproveOutcome.Refused r => (await settlement.RefuseAsync(attempt, r.Code, r.Message), r.Code, r.Message),
            ApproveOutcome.NotExecuted n => (
                await settlement.RefuseAsync(attempt, CancelOutcome.NotExecuted, n.Reason), CancelOutcome.NotExecuted, "The gateway cannot be reached."),
            // This or an earlier call may have captured it. The history decides, not the response.
            _ => (await settlement.ResolveAsync(attempt, WithPayment), "AlreadyCanceled", "The payment was cancelled at the gateway."),
        };
        return settled switch
        {
            Settlement.Paid => paid,
            Settlement.Waiting => new(orderId, attempt.PaymentId, PaymentState.Settling),
            Settlement.Returned => throw new ProblemException(PaymentProblems.Mismatch),
            Settlement.Payable => throw new ProblemException(PaymentProblems.Refused, $"{code}: {message}"),
            _ => await FindAnswerAsync(userId, orderId, pgPaymentId, CancellationToken.None),
        };

        void WithPayment(DbSession transaction) => withPayment(transaction, paid);
    }

    /// <summary>Refunds a paid order. A repeated request refunds nothing more.</summary>
    /// <param name="userId">The owner of the order, or null for any owner.</param>
    /// <param name="scope">What is refunded.</param>
    /// <param name="request">The scope of the idempotent request.</param>
    /// <param name="withBeginning">Runs in the transaction that records the refund. Claims the key of the request.</param>
    /// <exception cref="ProblemException">The refund is refused.</exception>
    public async Task<RefundedPayment> RefundAsync(
        string? userId, string requestedBy, string orderId, RefundScope scope, string reason, byte[] request, Func<DbSession, Task> withBeginning,
        CancellationToken cancellationToken)
    {
        if (await orders.FindAsync(orderId, userId, cancellationToken) is null) throw new ProblemException(OrderProblems.NotFound);
        var (refund, isNew) = await payments.RequestRefundAsync(
            orderId, scope, reason, requestedBy, request, settlement.CancelLease, withBeginning, cancellationToken);
        bool? done = refund.Status switch { RefundState.Done => true, RefundState.Refused => false, _ => null };
        if (isNew) done = await settlement.RefundAsync(refund, isFirst: true);
        if (done is null) return new(orderId, refund.Id, PaymentState.Settling, refund.Amount);
        // The payment is read again, because there may be refunds made at the gateway itself.
        var payment = (await payments.FindAsync(orderId, CancellationToken.None))!;
        var rest = payment.Amount - payment.RefundedAmount;
        if (done is true) return new(orderId, refund.Id, rest == 0 ? PaymentState.Refunded : PaymentState.PartiallyRefunded, refund.Amount);
        throw new ProblemException(PaymentProblems.NotRefundable, rest == 0 ? "The order is fully refunded." : refund.Amount > rest ? $"At most {rest} won can be refunded." : "The payment gateway rejected the refund.");
    }

    /// <summary>Returns the result of an approval that did not start, or was superseded.</summary>
    async Task<ApprovedPayment> FindAnswerAsync(string userId, string orderId, string pgPaymentId, CancellationToken cancellationToken)
    {
        var state = await GetStateAsync(userId, orderId, cancellationToken);
        return state.PgPaymentId != pgPaymentId ? throw Explain(state) : state.PaymentStatus switch
        {
            // The approval paid the order, even if a later refund changed the status.
            PaymentState.Paid or PaymentState.PartiallyRefunded => new(orderId, state.PaymentId!, PaymentState.Paid),
            PaymentState.Settling => new(orderId, state.PaymentId!, PaymentState.Settling),
            _ => throw Explain(state),
        };
    }

    /// <summary>Reads the state of an order and its payment in one query, because it may change between two queries.</summary>
    async Task<OrderPaymentState> GetStateAsync(string userId, string orderId, CancellationToken cancellationToken) =>
        await database.SingleAsync<OrderPaymentState>("""
            SELECT o.status AS Status, o.total_amount AS TotalAmount, IF(o.pinned, 1, 0) AS Pinned, IF(o.hold_expires_at > UTC_TIMESTAMP(6), 1, 0) AS Alive,
                   p.id AS PaymentId, p.pg_payment_id AS PgPaymentId, p.status AS PaymentStatus
            FROM orders o LEFT JOIN payment p ON p.order_id = o.id WHERE o.id = @orderId AND o.user_id = @userId
            """, new { orderId, userId }, cancellationToken) ?? throw new ProblemException(OrderProblems.NotFound);

    /// <summary>Explains why an order cannot be paid now.</summary>
    static ProblemException Explain(OrderPaymentState state) => state switch
    {
        { Status: OrderState.Expired } => new(PaymentProblems.HoldExpired),
        { Status: OrderState.PendingPayment, Pinned: 1 } => new(PaymentProblems.InProgress),
        { Status: OrderState.Created or OrderState.PendingPayment, Alive: 0 } => new(PaymentProblems.HoldExpired),
        // The order has just become payable again.
        { Status: OrderState.PendingPayment } => new(PaymentProblems.InProgress),
        { Status: OrderState.Created } => new(PaymentProblems.OrderNotPayable, "The payment was not prepared."),
        _ => new(PaymentProblems.OrderNotPayable),
    };

    Uri PayUrl(PayablePayment payment, Uri shop)
    {
        var name = payment.Lines > 1 ? $"{payment.ProductName} and {payment.Lines - 1} more" : payment.ProductName;
        return gateway.PayUrl(
            payment.OrderId, payment.Amount, payment.UserId, name, new Uri(shop, $"?orderId={payment.OrderId}"));
    }

    sealed class OrderPaymentState
    {
        public required string Status { get; init; }

        public required long TotalAmount { get; init; }

        public required int Pinned { get; init; }

        public required int Alive { get; init; }

        public string? PaymentId { get; init; }

        public string? PgPaymentId { get; init; }

        public string? PaymentStatus { get; init; }
    }
}
