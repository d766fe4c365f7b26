namespace Commerce.Core.Orders;

/// <summary>The status of an order in the database and in the HTTP contract.</summary>
public static class OrderState
{
    /// <summary>Its stock is held.</summary>
    public const string Created = "CREATED";
    /// <summary>Its payment is prepared.</summary>
    public const string PendingPayment = "PENDING_PAYMENT";
    /// <summary>Captured at the gateway, or paid by its coupon.</summary>
    public const string Paid = "PAID";
    /// <summary>Cancelled by its owner before the payment.</summary>
    public const string Cancelled = "CANCELLED";
    /// <summary>Its hold expired before the payment.</summary>
    public const string Expired = "EXPIRED";
    /// <summary>Paid, but without stock: a refund is in progress.</summary>
    public const string Refunding = "REFUNDING";
    /// <summary>Fully refunded.</summary>
    public const string Refunded = "REFUNDED";

    /// <summary>All of them.</summary>
    public static IReadOnlyList<string> All { get; } = [Created, PendingPayment, Paid, Cancelled, Expired, Refunding, Refunded];
}
