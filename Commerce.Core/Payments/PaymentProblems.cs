using Commerce.ServiceDefaults;

namespace Commerce.Core.Payments;

/// <summary>Why a payment is not prepared, approved, refunded or found.</summary>
public static class PaymentProblems
{
    /// <summary>When a payment that is being worked on is worth asking for again.</summary>
    public static TimeSpan RetryAfter { get; } = TimeSpan.FromSeconds(1);

    public static readonly ProblemType NotFound = new(404, "payment-not-found", "You have no payment for this order.");
    public static readonly ProblemType OrderNotPayable = new(409, "order-not-payable", "The order cannot be paid (any more).");
    public static readonly ProblemType HoldExpired = new(409, "hold-expired", "The order was not paid in time; its pieces are held no longer.");
    public static readonly ProblemType InProgress = new(409, "payment-in-progress", "The payment is being worked on.");
    public static readonly ProblemType NotRefundable = new(409, "not-refundable", "So much cannot be refunded.");
    public static readonly ProblemType AmountMismatch = new(422, "amount-mismatch", "The order costs something else.");
    public static readonly ProblemType Mismatch = new(422, "payment-mismatch", "What was paid at the gateway is not for this order, or not its amount.");
    public static readonly ProblemType Refused = new(402, "payment-refused", "The gateway did not take the money. Nothing was charged.");
}
