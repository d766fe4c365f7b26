namespace Commerce.Core.Orders;

/// <summary>Reasons for refusing an order or its change.</summary>
public static class OrderProblems
{
    public static readonly ProblemType NotFound = new(404, "order-not-found", "You have no order with this id.");
    public static readonly ProblemType TooManyUnpaid = new(409, "too-many-unpaid-orders", "You have reached the limit of unpaid orders.");
    public static readonly ProblemType CouponNotUsable = new(409, "coupon-not-usable", "This coupon cannot be used for this order.");
    public static readonly ProblemType CouponNotValidYet = new(409, "coupon-not-valid-yet", "This coupon cannot be used yet.");
    public static readonly ProblemType CouponExpired = new(409, "coupon-expired", "This coupon can no longer be used.");
    public static readonly ProblemType CouponNotApplicable = new(409, "coupon-not-applicable", "This coupon applies to none of the ordered products.");
    public static readonly ProblemType CouponBelowMinimum = new(409, "coupon-below-minimum", "The order is below the minimum amount of the coupon.");
    public static readonly ProblemType BelowMinPayment = new(409, "order-below-minimum", "The amount to pay is below the minimum of the payment gateway.");
    public static readonly ProblemType AboveMaxPayment = new(409, "order-above-maximum", "The amount to pay is above the maximum of the payment gateway.");
    public static readonly ProblemType CouponPending = new(409, "coupon-pending", "The coupon is yours but cannot be used yet. Try again.", TimeSpan.FromSeconds(1));
    public static readonly ProblemType NotCancellable = new(409, "order-not-cancellable", "The order is paid, being paid, or already closed.");
    public static readonly ProblemType NotFulfillable = new(409, "order-not-fulfillable", "The order cannot take this step of its delivery.");
    public static readonly ProblemType NotWaiting = new(409, "order-not-waiting", "The order is not paid, or its stock is already deducted.");
}
