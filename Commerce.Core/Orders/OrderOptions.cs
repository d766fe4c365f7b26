using System.ComponentModel.DataAnnotations;

namespace Commerce.Core.Orders;

/// <summary>Limits and times of orders. Configuration section <c>Orders</c>.</summary>
public sealed class OrderOptions
{
    public const string Section = "Orders";

    /// <summary>How long an order holds its stock before its payment is prepared: 1 s to 1 day. Default 10 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan HoldTime { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>Maximum quantity of one product in an order: 1 to 10,000. Default 100.</summary>
    [Range(1, 10_000)]
    public int MaxQuantityPerProduct { get; set; } = 100;

    /// <summary>Maximum number of products in an order: 1 to 100. Default 20.</summary>
    [Range(1, 100)]
    public int MaxLines { get; set; } = 20;

    /// <summary>Maximum number of unpaid orders of a customer that hold stock: 1 to 1,000. Default null: no limit.</summary>
    [Range(1, 1000)]
    public int? MaxUnpaidOrders { get; set; }

    /// <summary>
    /// Whether each change of an order is published to <c>ORDER_CHANGED</c>, for other systems. Default false. Api and Workers need the
    /// same value.
    /// </summary>
    public bool PublishChanges { get; set; }

    /// <summary>
    /// The minimum amount that the payment gateway accepts, in whole KRW: 1 to 1,000,000. A cheaper order is refused, unless its coupon
    /// pays all of it. Default 100.
    /// </summary>
    [Range(1, 1_000_000)]
    public long MinPayment { get; set; } = 100;

    /// <summary>
    /// The gateway's maximum payment in whole KRW: 1 to 1,000,000,000,000,000. A more expensive order is refused. Default 1,000,000,000.
    /// </summary>
    [Range(1, 1_000_000_000_000_000)]
    public long MaxPayment { get; set; } = 1_000_000_000;

    /// <summary>
    /// How long an order waits until a coupon that was just issued is saved: 0 to 10 s. After that the response is 409 with Retry-After.
    /// Default 3 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:10")]
    public TimeSpan CouponWaitTimeout { get; set; } = TimeSpan.FromSeconds(3);
}
