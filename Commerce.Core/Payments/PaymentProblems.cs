namespace Commerce.Core.Payments;

/// <summary>Reasons for refusing a payment or refund.</summary>
public static class PaymentProblems
{
    public static readonly ProblemType NotFound = new(404, "payment-not-found", "You have no payment for this order.");
    public static readonly ProblemType OrderNotPayable = new(409, "order-not-payable", "The order cannot be paid.");
    public static readonly ProblemType HoldExpired = new(409, "hold-expired", "The order was not paid in time. Its stock is no longer reserved.");
    public static readonly ProblemType InProgress = new(409, "payment-in-progress", "The payment is in progress. Try again.", TimeSpan.FromSeconds(1));
    public static readonly ProblemType NotRefundable = new(409, "not-refundable", "The amount exceeds what can be refunded.");
    public static readonly ProblemType AmountMismatch = new(422, "amount-mismatch", "The amount does not match the order total.");
    public static readonly ProblemType Mismatch = new(422, "payment-mismatch", "The payment at the gateway is for another order or another amount.");
    public static readonly ProblemType Refused = new(402, "payment-refused", "The payment gateway refused the payment. Nothing was charged.");
}
