namespace Commerce.Core.Orders;

/// <summary>The status of an order in the database and in the HTTP contract.</summary>
public static class OrderState
{
    /// <summary>The stock of the order is held.</summary>
    public const string Created = "CREATED";
    /// <summary>The payment of the order is prepared.</summary>
    public const string PendingPayment = "PENDING_PAYMENT";
    /// <summary>The gateway captured the money, or a coupon paid the order.</summary>
    public const string Paid = "PAID";
    /// <summary>The order was cancelled before the payment.</summary>
    public const string Cancelled = "CANCELLED";
    /// <summary>The hold expired before the payment.</summary>
    public const string Expired = "EXPIRED";
    /// <summary>The order is paid, but there is no stock. A refund is in progress.</summary>
    public const string Refunding = "REFUNDING";
    /// <summary>The order is fully refunded.</summary>
    public const string Refunded = "REFUNDED";

    /// <summary>All states.</summary>
    public static IReadOnlyList<string> All { get; } = [Created, PendingPayment, Paid, Cancelled, Expired, Refunding, Refunded];
}
