namespace Commerce.Core.Live;

/// <summary>The figures of an event's sale at one moment. Rates are the differences of two readings.</summary>
/// <param name="Status">The status of the event.</param>
/// <param name="At">The time of the reading.</param>
/// <param name="WaitingRoom">Null if the event has none.</param>
/// <param name="Errors">The 5xx responses of all replicas so far; null while Redis is away. Starts again at 0 when Redis has lost its data.</param>
public sealed record LiveSale(
    long EventId, string Status, DateTime At, IReadOnlyList<LiveCoupon> Coupons, IReadOnlyList<LiveProduct> Products, LiveOrders Orders, long? Errors,
    LiveWaitingRoom? WaitingRoom);

/// <summary>A coupon of the sale.</summary>
/// <param name="Issued">By the gate; by the database, slightly delayed, while the gate is closed.</param>
public sealed record LiveCoupon(long Id, string Name, int Total, int Issued);

/// <summary>A product of the sale.</summary>
/// <param name="Available">Units that can be ordered.</param>
public sealed record LiveProduct(long Id, string Name, long Available);

/// <summary>The waiting room of the event.</summary>
/// <param name="Rate">Shoppers that it admits per second.</param>
/// <param name="Waiting">Those who wait; null while the room is closed: nobody has asked yet, or Redis is away or has lost it.</param>
/// <param name="Admitted">Those who were told that it is their turn, again after an expired pass included.</param>
/// <param name="Ordering">Those of them whose pass is valid.</param>
public sealed record LiveWaitingRoom(int Rate, long? Waiting, long Admitted, long Ordering);

/// <summary>Orders since the opening that have one of the event's products or coupons.</summary>
/// <param name="Placed">All of them.</param>
/// <param name="Holding">Unpaid ones that hold stock.</param>
/// <param name="Paid">Those that were paid, refunded or not.</param>
/// <param name="PaidAmount">Whole KRW of the paid ones, before refunds.</param>
public sealed record LiveOrders(long Placed, long Holding, long Paid, long PaidAmount);
