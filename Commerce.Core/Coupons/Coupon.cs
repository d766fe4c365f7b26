using Commerce.Core.Database;

namespace Commerce.Core.Coupons;

/// <summary>A coupon in the database.</summary>
/// <param name="Discount">Whole KRW. The discount, or its maximum if <paramref name="Percent"/> is set.</param>
/// <param name="StartsAt">The start of the issue window.</param>
/// <param name="EndsAt">The end of the issue window.</param>
/// <param name="Status"><c>ACTIVE</c> or <c>CANCELLED</c>; also <c>WAITING</c> (not opened yet) or <c>CLOSED</c> for a coupon of an
/// event.</param>
/// <param name="Version">Incremented by every change.</param>
/// <param name="GateEpoch">How often the opening of the gate in Redis was claimed. 0: never.</param>
/// <param name="Percent">The discount in percent of the products that the coupon applies to, rounded down. Null: a fixed
/// amount.</param>
/// <param name="MinOrderAmount">Whole KRW. The minimum price of the products that the coupon applies to, in total. Null: no
/// minimum.</param>
/// <param name="ValidFrom">Orders can use the coupon from this time on. Null: at once.</param>
/// <param name="ValidUntil">Orders can use the coupon before this time. Null: without end.</param>
/// <param name="ProductIds">The products that the coupon applies to, in addition to those of <paramref name="EventIds"/>. If both are
/// null, it applies to all products.</param>
public sealed record Coupon(
    long Id, string Name, long Discount, int TotalQuantity, int IssuedQuantity,
    DateTime StartsAt, DateTime EndsAt, string Status, int Version, int GateEpoch, int? Percent = null, long? MinOrderAmount = null,
    DateTime? ValidFrom = null, DateTime? ValidUntil = null, HashSet<long>? ProductIds = null, HashSet<long>? EventIds = null) : IVersioned
{
    /// <summary>
    /// How long the gate of an ended coupon is kept. This is longer than any clock skew, so the coupon has certainly ended by then.
    /// </summary>
    public static readonly TimeSpan GateRetention = TimeSpan.FromHours(1);

    /// <summary>Whether the gate is no longer needed.</summary>
    public bool IsLongOver(DateTimeOffset now) => EndsAt + GateRetention < now.UtcDateTime;

    /// <summary>The columns, in the order and with the names of the record's members.</summary>
    public const string Columns = """
        id AS Id, name AS Name, discount AS Discount, total_quantity AS TotalQuantity, issued_quantity AS IssuedQuantity,
        starts_at AS StartsAt, ends_at AS EndsAt, status AS Status, version AS Version, gate_epoch AS GateEpoch, percent AS Percent, min_order_amount AS MinOrderAmount,
        valid_from AS ValidFrom, valid_until AS ValidUntil, product_ids AS ProductIds, event_ids AS EventIds
        """;
}
