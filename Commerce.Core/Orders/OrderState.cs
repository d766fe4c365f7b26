namespace Commerce.Core.Orders;

/// <summary>The states of an order, as the database and the HTTP contract write them.</summary>
public static class OrderState
{
    /// <summary>Its pieces are held.</summary>
    public const string Created = "CREATED";
    /// <summary>A payment was prepared.</summary>
    public const string PendingPayment = "PENDING_PAYMENT";
    /// <summary>Captured at the gateway.</summary>
    public const string Paid = "PAID";
    /// <summary>Given up by its owner before it was paid.</summary>
    public const string Cancelled = "CANCELLED";
    /// <summary>Its hold lapsed before it was paid.</summary>
    public const string Expired = "EXPIRED";
    /// <summary>Paid, but the stock was not there: the money goes back.</summary>
    public const string Refunding = "REFUNDING";
    /// <summary>The money went back, all of it.</summary>
    public const string Refunded = "REFUNDED";

    /// <summary>All of them.</summary>
    public static IReadOnlyList<string> All { get; } = [Created, PendingPayment, Paid, Cancelled, Expired, Refunding, Refunded];
}
