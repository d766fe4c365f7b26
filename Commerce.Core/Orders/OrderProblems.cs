using Commerce.ServiceDefaults;

namespace Commerce.Core.Orders;

/// <summary>Why an order is not taken, changed or found.</summary>
public static class OrderProblems
{
    public static readonly ProblemType ProductNotFound = new(404, "product-not-found", "There is no such product.");
    public static readonly ProblemType NotFound = new(404, "order-not-found", "You have no such order.");
    public static readonly ProblemType OutOfStock = new(409, "out-of-stock", "There are not so many left.");
    public static readonly ProblemType CouponNotUsable = new(409, "coupon-not-usable", "This coupon cannot be used for this order.");
    public static readonly ProblemType CouponPending = new(409, "coupon-pending", "The coupon is yours, but cannot be used yet. Try again.");
    public static readonly ProblemType NotCancellable = new(409, "order-not-cancellable", "The order is paid, being paid, or ended.");
    public static readonly ProblemType NotWaiting = new(409, "order-not-waiting", "The order is not paid, or has left the stock already.");
    public static readonly ProblemType GateClosed = new(503, "gate-closed", "Orders are not taken at this moment. Try again.");
}
