using System.Globalization;
using Commerce.Core.Inventory;

namespace Commerce.Core.Payments;

/// <summary>The status of a payment in the database and in the HTTP contract.</summary>
public static class PaymentState
{
    /// <summary>The payment can be approved.</summary>
    public const string Pending = "PENDING";
    /// <summary>The gateway is being called.</summary>
    public const string Approving = "APPROVING";
    /// <summary>It is unknown whether the gateway captured the money.</summary>
    public const string Settling = "SETTLING";
    /// <summary>The gateway captured a wrong amount or order. The capture is being cancelled.</summary>
    public const string Cancelling = "CANCELLING";
    /// <summary>The money is captured, or there is none to capture.</summary>
    public const string Paid = "PAID";
    /// <summary>The payment is partially refunded.</summary>
    public const string PartiallyRefunded = "PARTIALLY_REFUNDED";
    /// <summary>The payment is fully refunded.</summary>
    public const string Refunded = "REFUNDED";

    /// <summary>All states.</summary>
    public static IReadOnlyList<string> All { get; } = [Pending, Approving, Settling, Cancelling, Paid, PartiallyRefunded, Refunded];
}

/// <summary>The status of a payment attempt.</summary>
public static class AttemptState
{
    /// <summary>The gateway is being called, or its response is unknown.</summary>
    public const string InFlight = "INFLIGHT";
    /// <summary>The money was captured.</summary>
    public const string Succeeded = "SUCCEEDED";
    /// <summary>The gateway captured nothing.</summary>
    public const string Refused = "REFUSED";
    /// <summary>A wrong or late capture is being cancelled.</summary>
    public const string Cancelling = "CANCELLING";
    /// <summary>The money was captured and fully cancelled.</summary>
    public const string Cancelled = "CANCELLED";
    /// <summary>The gateway's history did not show a capture in time. A late capture is still found.</summary>
    public const string Abandoned = "ABANDONED";
}

/// <summary>The status of a refund.</summary>
public static class RefundState
{
    /// <summary>The refund is committed, but the gateway has not confirmed it.</summary>
    public const string Requested = "REQUESTED";
    /// <summary>The money is refunded.</summary>
    public const string Done = "DONE";
    /// <summary>The gateway rejected it.</summary>
    public const string Refused = "REFUSED";
    /// <summary>The refund was made at the gateway itself, in its console or by a charge-back.</summary>
    public const string External = "EXTERNAL";
}

/// <summary>A payment in the database.</summary>
/// <param name="Amount">The amount to pay, in whole KRW.</param>
/// <param name="RefundedAmount">The refunded amount in whole KRW.</param>
/// <param name="Status">One of <see cref="PaymentState"/>.</param>
/// <param name="PgPaymentId">The gateway's id of the running or successful attempt.</param>
public sealed record Payment(
    string PaymentId, string OrderId, string UserId, long Amount, long RefundedAmount, string Status, string? PgPaymentId, DateTime CreatedAt,
    DateTime? PaidAt)
{
    /// <summary>The columns, with the names of the record's members.</summary>
    public const string Columns = """
        id AS PaymentId, order_id AS OrderId, user_id AS UserId, amount AS Amount, refunded_amount AS RefundedAmount, status AS Status,
        pg_payment_id AS PgPaymentId, created_at AS CreatedAt, paid_at AS PaidAt
        """;
}

/// <summary>A prepared payment, with the order details for the payment window.</summary>
/// <param name="Amount">The amount to pay, in whole KRW.</param>
/// <param name="ProductName">The name of the first product.</param>
public sealed record PayablePayment(string PaymentId, string OrderId, string UserId, long Amount, string Status, string ProductName, long Lines, int Changes, DateTime Now);

/// <summary>One call to the gateway for an approval.</summary>
/// <param name="Status">One of <see cref="AttemptState"/>.</param>
/// <param name="Code">The gateway's code, or the error in the capture.</param>
public sealed record PaymentAttempt(
    int Number, string PgPaymentId, string Status, string? Code, string? Message, DateTime StartedAt, DateTime? EndedAt);

/// <summary>A refund.</summary>
/// <param name="Amount">Whole KRW.</param>
/// <param name="Status">One of <see cref="RefundState"/>.</param>
/// <param name="Code">The reason why the gateway rejected it.</param>
public sealed record Refund(string RefundId, long Amount, string Reason, string Status, string? Code, DateTime CreatedAt, DateTime? EndedAt);

/// <summary>An attempt with an open outcome.</summary>
/// <param name="Amount">The amount to pay, in whole KRW.</param>
/// <param name="Checks">The number of checks by the reconciler.</param>
/// <param name="AgeSeconds">The age by MySQL's clock.</param>
public sealed record OpenAttempt(
    string PaymentId, int Number, string PgPaymentId, string Status, string OrderId, long Amount, int Checks, long AgeSeconds);

/// <summary>Payments and refunds that have been open for too long.</summary>
/// <param name="Count">Their number.</param>
/// <param name="OrderId">The order of the oldest one.</param>
/// <param name="Seconds">The age of the oldest one.</param>
public sealed record OverduePayments(long Count, string OrderId, long Seconds);

/// <summary>A refund that the gateway has not confirmed.</summary>
/// <param name="PgPaymentId">The gateway's id of the payment. Null if the coupon paid the order, which the gateway does not
/// know.</param>
/// <param name="Amount">Whole KRW.</param>
/// <param name="ExpectedRest">The remaining amount of the payment after the refund, in whole KRW.</param>
/// <param name="Checks">The number of checks by the reconciler.</param>
/// <param name="Rebased">The number of new requests that refunds made at the gateway itself have caused.</param>
public sealed record OpenRefund(
    string Id, string PaymentId, string OrderId, string? PgPaymentId, long Amount, long ExpectedRest, string Reason, string Status, string? Code,
    int Checks, int Rebased, DateTime CreatedAt)
{
    /// <summary>The idempotency key at the gateway. A request with another remaining amount has another key.</summary>
    public string GatewayKey => Rebased == 0 ? Id : string.Create(CultureInfo.InvariantCulture, $"{Id}:{Rebased}");

    /// <summary>The columns for <c>refund r JOIN payment p</c>, with the names of the record's members.</summary>
    public const string Columns = """
        r.id AS Id, p.id AS PaymentId, p.order_id AS OrderId, p.pg_payment_id AS PgPaymentId, r.amount AS Amount, r.expected_rest AS ExpectedRest,
        r.reason AS Reason, r.status AS Status, r.code AS Code, r.checks AS Checks, r.rebased AS Rebased, r.created_at AS CreatedAt
        """;
}

/// <summary>The result of comparing a payment with the gateway's history.</summary>
/// <param name="Recorded">The refunds made at the gateway itself that are recorded now.</param>
/// <param name="Returned">The stock that a full refund returns. Pass it to <see cref="InventoryRepository.ReturnAsync"/>.</param>
public sealed record HistoryComparison(IReadOnlyList<GatewayCancel> Recorded, StockReturn? Returned)
{
    /// <summary>The refund of this call. It is done, rejected, or to be requested again with another remaining amount.</summary>
    public OpenRefund? Refund { get; init; }
}
