namespace Commerce.Core.Live;

/// <summary>The figures of an event's sale at one moment. A rate is the difference between two readings.</summary>
/// <param name="Status">The status of the event.</param>
/// <param name="At">The time of the reading.</param>
/// <param name="WaitingRoom">Null if the event has no waiting room.</param>
/// <param name="Errors">The 5xx responses of all replicas so far. Null while Redis is unavailable. Restarts at 0 after Redis has lost
/// its data.</param>
public sealed record LiveSale(
    long EventId, string Status, DateTime At, IReadOnlyList<LiveCoupon> Coupons, IReadOnlyList<LiveProduct> Products, LiveOrders Orders, long? Errors,
    LiveWaitingRoom? WaitingRoom);

/// <summary>A coupon of the sale.</summary>
/// <param name="Issued">The number of issued coupons at the gate. While the gate is closed, the number in the database, which lags
/// slightly.</param>
public sealed record LiveCoupon(long Id, string Name, int Total, int Issued);

/// <summary>A product of the sale.</summary>
/// <param name="Available">The units that can be ordered.</param>
public sealed record LiveProduct(long Id, string Name, long Available);

/// <summary>The waiting room of the event.</summary>
/// <param name="Rate">The number of shoppers that the room admits per second.</param>
/// <param name="Waiting">The number of waiting shoppers. Null while the room is closed, because nobody has asked yet, or because
/// Redis is unavailable or has lost the room.</param>
/// <param name="Admitted">The number of admissions, including repeated ones after an expired pass.</param>
/// <param name="Ordering">The number of admissions whose pass is valid.</param>
public sealed record LiveWaitingRoom(int Rate, long? Waiting, long Admitted, long Ordering);

/// <summary>Orders since the opening that contain a product or use a coupon of the event.</summary>
/// <param name="Placed">All orders.</param>
/// <param name="Holding">Unpaid orders that hold stock.</param>
/// <param name="Paid">Paid orders, refunded or not.</param>
/// <param name="PaidAmount">Whole KRW. The total of the paid orders, before refunds.</param>
public sealed record LiveOrders(long Placed, long Holding, long Paid, long PaidAmount);
