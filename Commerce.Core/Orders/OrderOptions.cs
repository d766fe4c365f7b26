using System.ComponentModel.DataAnnotations;

namespace Commerce.Core.Orders;

/// <summary>How orders are taken. Configuration section <c>Orders</c>.</summary>
public sealed class OrderOptions
{
    public const string Section = "Orders";

    /// <summary>How long an order holds its pieces before a payment is prepared: 1 s to 1 day. Default 10 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan HoldTime { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>Pieces of one product in one order: 1 to 10,000. Default 100.</summary>
    [Range(1, 10_000)]
    public int MaxQuantityPerProduct { get; set; } = 100;

    /// <summary>Different products in one order: 1 to 100. Default 20.</summary>
    [Range(1, 100)]
    public int MaxLines { get; set; } = 20;

    /// <summary>
    /// How long an order waits for the row of a coupon that its user was given a moment ago: 0 to 10 s. After it the answer is to come again. Default 3 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:10")]
    public TimeSpan CouponWaitTimeout { get; set; } = TimeSpan.FromSeconds(3);
}
