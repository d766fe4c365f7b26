using System.Globalization;
using Commerce.Core.Inventory;

namespace Commerce.Core.Payments;

/// <summary>The states of a payment, as the database and the HTTP contract write them.</summary>
public static class PaymentState
{
    /// <summary>Can be approved.</summary>
    public const string Pending = "PENDING";
    /// <summary>The gateway is being asked for the money.</summary>
    public const string Approving = "APPROVING";
    /// <summary>Nobody knows yet whether the gateway took the money.</summary>
    public const string Settling = "SETTLING";
    /// <summary>The gateway took something else than was to be paid; it goes back.</summary>
    public const string Cancelling = "CANCELLING";
    /// <summary>The gateway took the money.</summary>
    public const string Paid = "PAID";
    /// <summary>Some of it went back.</summary>
    public const string PartiallyRefunded = "PARTIALLY_REFUNDED";
    /// <summary>All of it went back.</summary>
    public const string Refunded = "REFUNDED";

    /// <summary>All of them.</summary>
    public static IReadOnlyList<string> All { get; } = [Pending, Approving, Settling, Cancelling, Paid, PartiallyRefunded, Refunded];
}

/// <summary>The states of an attempt to be paid.</summary>
public static class AttemptState
{
    /// <summary>The gateway is asked, or its answer is not known.</summary>
    public const string InFlight = "INFLIGHT";
    /// <summary>The money was captured.</summary>
    public const string Succeeded = "SUCCEEDED";
    /// <summary>Nothing was captured, says the gateway.</summary>
    public const string Refused = "REFUSED";
    /// <summary>Captured, and must go back: wrong, or too late.</summary>
    public const string Cancelling = "CANCELLING";
    /// <summary>Captured, and all of it went back.</summary>
    public const string Cancelled = "CANCELLED";
    /// <summary>The gateway's history had nothing of it in time. Should it be captured after all, it is found.</summary>
    public const string Abandoned = "ABANDONED";
}

/// <summary>The states of a refund.</summary>
public static class RefundState
{
    /// <summary>Committed; the gateway has not confirmed it.</summary>
    public const string Requested = "REQUESTED";
    /// <summary>The money went back.</summary>
    public const string Done = "DONE";
    /// <summary>The gateway does not do it.</summary>
    public const string Refused = "REFUSED";
    /// <summary>Made at the gateway itself, in its console or by a charge-back.</summary>
    public const string External = "EXTERNAL";
}

/// <summary>A payment as the database has it.</summary>
/// <param name="Amount">Whole KRW.</param>
/// <param name="RefundedAmount">Whole KRW.</param>
/// <param name="Status">One of <see cref="PaymentState"/>.</param>
/// <param name="PgPaymentId">The gateway's id, of the running or the successful attempt.</param>
public sealed record Payment(
    string PaymentId, string OrderId, string UserId, long Amount, long RefundedAmount, string Status, string? PgPaymentId, DateTime CreatedAt,
    DateTime? PaidAt)
{
    /// <summary>The columns of a payment under the names of this record.</summary>
    public const string Columns = """
        id AS PaymentId, order_id AS OrderId, user_id AS UserId, amount AS Amount, refunded_amount AS RefundedAmount, status AS Status,
        pg_payment_id AS PgPaymentId, created_at AS CreatedAt, paid_at AS PaidAt
        """;
}

/// <summary>A payment that was prepared, and what the pay window shows of its order.</summary>
/// <param name="Amount">Whole KRW.</param>
/// <param name="ProductName">Of the first line.</param>
public sealed record PayablePayment(string PaymentId, string OrderId, string UserId, long Amount, string Status, string ProductName, long Lines);

/// <summary>One time that the gateway was asked for the money.</summary>
/// <param name="Status">One of <see cref="AttemptState"/>.</param>
/// <param name="Code">What the gateway said, or what was wrong with the capture.</param>
public sealed record PaymentAttempt(
    int Number, string PgPaymentId, string Status, string? Code, string? Message, DateTime StartedAt, DateTime? EndedAt);

/// <summary>Money that goes back.</summary>
/// <param name="Amount">Whole KRW.</param>
/// <param name="Status">One of <see cref="RefundState"/>.</param>
/// <param name="Code">Why the gateway refused it.</param>
public sealed record Refund(string RefundId, long Amount, string Reason, string Status, string? Code, DateTime CreatedAt, DateTime? EndedAt);

/// <summary>An attempt whose end is to be found out.</summary>
/// <param name="Amount">What is to be paid, in whole KRW.</param>
/// <param name="Checks">How often the reconciler had it.</param>
/// <param name="AgeSeconds">Since it began, by MySQL's clock.</param>
public sealed record OpenAttempt(
    string PaymentId, int Number, string PgPaymentId, string Status, string OrderId, long Amount, int Checks, long AgeSeconds);

/// <summary>What the gateway has left open for too long.</summary>
/// <param name="Count">Payments and refunds.</param>
/// <param name="OrderId">Of the oldest.</param>
/// <param name="Seconds">How old that is.</param>
public sealed record OverduePayments(long Count, string OrderId, long Seconds);

/// <summary>A refund that the gateway has not confirmed.</summary>
/// <param name="Amount">Whole KRW.</param>
/// <param name="ExpectedRest">What is left of the payment after it, in whole KRW.</param>
/// <param name="Checks">How often the reconciler had it.</param>
/// <param name="Rebased">How often it was asked for anew, because money had gone back at the gateway meanwhile.</param>
public sealed record OpenRefund(
    string Id, string PaymentId, string OrderId, string PgPaymentId, long Amount, long ExpectedRest, string Reason, string Status, string? Code,
    int Checks, int Rebased, DateTime CreatedAt)
{
    /// <summary>The idempotency key at the gateway, of the refund as it is now: asked for with another rest, it is another request.</summary>
    public string GatewayKey => Rebased == 0 ? Id : string.Create(CultureInfo.InvariantCulture, $"{Id}:{Rebased}");

    /// <summary>The columns under the names of this record, of <c>refund r JOIN payment p</c>.</summary>
    public const string Columns = """
        r.id AS Id, p.id AS PaymentId, p.order_id AS OrderId, p.pg_payment_id AS PgPaymentId, r.amount AS Amount, r.expected_rest AS ExpectedRest,
        r.reason AS Reason, r.status AS Status, r.code AS Code, r.checks AS Checks, r.rebased AS Rebased, r.created_at AS CreatedAt
        """;
}

/// <summary>What the database made of the gateway's history of a payment.</summary>
/// <param name="Recorded">Refunds that were made at the gateway and are on record now.</param>
/// <param name="Returned">What returns to the stock, where all of the money is back; give it to <see cref="InventoryRepository.ReturnAsync"/>.</param>
public sealed record HistoryComparison(IReadOnlyList<GatewayCancel> Recorded, StockReturn? Returned)
{
    /// <summary>The refund that was asked about: done, refused, or to be asked for anew with another rest.</summary>
    public OpenRefund? Refund { get; init; }
}
