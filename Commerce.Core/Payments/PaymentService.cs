using System.Globalization;
using Commerce.Core.Database;
using Commerce.Core.Orders;
using Commerce.ServiceDefaults;
using Microsoft.Extensions.Options;

namespace Commerce.Core.Payments;

/// <summary>A payment that can be approved.</summary>
/// <param name="Amount">Whole KRW.</param>
/// <param name="PayUrl">Where the user's browser pays.</param>
public sealed record PreparedPayment(string PaymentId, string OrderId, long Amount, string Status, Uri PayUrl);

/// <summary>What became of an approval.</summary>
/// <param name="Status"><c>PAID</c>, or <c>SETTLING</c> while nobody knows.</param>
public sealed record ApprovedPayment(string OrderId, string PaymentId, string Status);

/// <summary>What became of a refund.</summary>
/// <param name="Status"><c>REFUNDED</c>, <c>PARTIALLY_REFUNDED</c>, or <c>SETTLING</c> while the gateway has not confirmed it.</param>
public sealed record RefundedPayment(string OrderId, string RefundId, string Status);

/// <summary>
/// Payments in two steps: prepared, then approved with what the user authorised in the gateway's pay window. The gateway is called outside of
/// transactions; before and after it the database says how far it came, and the reconciler ends what this process cannot.
/// </summary>
public sealed class PaymentService(
    MySqlDatabase database, OrderRepository orders, PaymentRepository payments, PaymentSettlement settlement, PaymentGateway gateway, IOptions<PaymentOptions> options)
{
    /// <summary>Prepares the payment of an order; again for the same order it changes nothing.</summary>
    /// <param name="amount">What the user believes it costs, in whole KRW.</param>
    /// <param name="shop">Where the browser returns to.</param>
    /// <param name="withinTransaction">What is to be committed together with the payment: the answer to an idempotent request.</param>
    /// <exception cref="ProblemException">Why it cannot be paid.</exception>
    public async Task PrepareAsync(
        string userId, string orderId, long amount, Uri shop, Action<DbSession, PreparedPayment> withinTransaction, CancellationToken cancellationToken)
    {
        // The hold in the gate is left as it is: when its deadline is over, the reaper finds the order holding in MySQL.
        var payment = await payments.PrepareAsync(userId, orderId, amount, options.Value.Extension, (transaction, p) => withinTransaction(
            transaction, new(p.PaymentId, p.OrderId, p.Amount, p.Status, PayUrl(p, shop))), cancellationToken);
        if (payment is not null) return;
        var state = await GetStateAsync(userId, orderId, cancellationToken);
        if (state.Status is OrderState.Created or OrderState.PendingPayment && amount != state.TotalAmount)
            throw new ProblemException(PaymentProblems.AmountMismatch, $"The order total is {state.TotalAmount} won.");
        throw Explain(state);
    }

    /// <summary>
    /// Captures what the user authorised. However many ask at once, the gateway is asked once. Goes to its end though the caller goes away.
    /// </summary>
    /// <param name="pgPaymentId">What the pay window gave: up to 64 visible characters.</param>
    /// <param name="withBeginning">What is to be committed together with the beginning: the claim of an idempotent request.</param>
    /// <param name="withPayment">What is to be committed together with the payment, where this call makes it: the answer.</param>
    /// <exception cref="ProblemException">Why the order is not paid.</exception>
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
            // It may have been captured, by this call or by one before: the history is asked, not the answer believed.
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

    /// <summary>Gives money of a paid order back. A repetition of the same request gives nothing more.</summary>
    /// <param name="userId">Whose order it must be; null for any.</param>
    /// <param name="amount">Whole KRW.</param>
    /// <param name="request">The scope of the idempotent request.</param>
    /// <param name="withBeginning">What is to be committed together with the refund's record: the claim of the request.</param>
    /// <exception cref="ProblemException">Why not.</exception>
    public async Task<RefundedPayment> RefundAsync(
        string? userId, string requestedBy, string orderId, long amount, string reason, byte[] request, Func<DbSession, Task> withBeginning,
        CancellationToken cancellationToken)
    {
        if (await orders.FindAsync(orderId, userId, cancellationToken) is null) throw new ProblemException(OrderProblems.NotFound);
        var (refund, isNew) = await payments.RequestRefundAsync(
            orderId, amount, reason, requestedBy, request, settlement.CancelLease, withBeginning, cancellationToken);
        bool? done = refund.Status switch { RefundState.Done => true, RefundState.Refused => false, _ => null };
        if (isNew) done = await settlement.RefundAsync(refund, isFirst: true);
        if (done is null) return new(orderId, refund.Id, PaymentState.Settling);
        // As it is now: money may have gone back at the gateway itself.
        var payment = (await payments.FindAsync(orderId, CancellationToken.None))!;
        var rest = payment.Amount - payment.RefundedAmount;
        if (done is true) return new(orderId, refund.Id, rest == 0 ? PaymentState.Refunded : PaymentState.PartiallyRefunded);
        throw new ProblemException(PaymentProblems.NotRefundable, rest == 0 ? "The order is fully refunded." : amount > rest ? $"At most {rest} won can be refunded." : "The payment gateway rejected the refund.");
    }

    /// <summary>The answer to an approval that did not begin, or was overtaken.</summary>
    async Task<ApprovedPayment> FindAnswerAsync(string userId, string orderId, string pgPaymentId, CancellationToken cancellationToken)
    {
        var state = await GetStateAsync(userId, orderId, cancellationToken);
        return state.PgPaymentId != pgPaymentId ? throw Explain(state) : state.PaymentStatus switch
        {
            // What went back since does not change that this approval paid.
            PaymentState.Paid or PaymentState.PartiallyRefunded => new(orderId, state.PaymentId!, PaymentState.Paid),
            PaymentState.Settling => new(orderId, state.PaymentId!, PaymentState.Settling),
            _ => throw Explain(state),
        };
    }

    /// <summary>How an order and its payment stand, both at the same moment: between two looks it may be paid.</summary>
    async Task<OrderPaymentState> GetStateAsync(string userId, string orderId, CancellationToken cancellationToken) =>
        await database.SingleAsync<OrderPaymentState>("""
            SELECT o.status AS Status, o.total_amount AS TotalAmount, IF(o.pinned, 1, 0) AS Pinned, IF(o.hold_expires_at > UTC_TIMESTAMP(6), 1, 0) AS Alive,
                   p.id AS PaymentId, p.pg_payment_id AS PgPaymentId, p.status AS PaymentStatus
            FROM orders o LEFT JOIN payment p ON p.order_id = o.id WHERE o.id = @orderId AND o.user_id = @userId
            """, new { orderId, userId }, cancellationToken) ?? throw new ProblemException(OrderProblems.NotFound);

    /// <summary>Why an order cannot be paid at this moment.</summary>
    static ProblemException Explain(OrderPaymentState state) => state switch
    {
        { Status: OrderState.Expired } => new(PaymentProblems.HoldExpired),
        { Status: OrderState.PendingPayment, Pinned: 1 } => new(PaymentProblems.InProgress, retryAfter: PaymentProblems.RetryAfter),
        { Status: OrderState.Created or OrderState.PendingPayment, Alive: 0 } => new(PaymentProblems.HoldExpired),
        // It can be paid again since a moment ago.
        { Status: OrderState.PendingPayment } => new(PaymentProblems.InProgress, retryAfter: PaymentProblems.RetryAfter),
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
