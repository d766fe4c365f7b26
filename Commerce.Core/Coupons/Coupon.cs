using Commerce.Core.Database;

namespace Commerce.Core.Coupons;

/// <summary>A coupon in the database.</summary>
/// <param name="Discount">Whole KRW: what it takes off; with <paramref name="Percent"/> the most it takes off.</param>
/// <param name="StartsAt">It is issued from then on.</param>
/// <param name="EndsAt">It is issued until then.</param>
/// <param name="Status"><c>ACTIVE</c>, <c>CANCELLED</c>, or, as part of an event, <c>WAITING</c> (to open) or <c>CLOSED</c>.</param>
/// <param name="Version">Incremented by every change.</param>
/// <param name="GateEpoch">The number of times the gate in Redis was claimed for opening; 0: never.</param>
/// <param name="Percent">What it takes off of the products that it applies to, rounded down. Null: a fixed amount.</param>
/// <param name="MinOrderAmount">Whole KRW. The products that it applies to must cost this much together. Null: no minimum.</param>
/// <param name="ValidFrom">Orders can use it from then on. Null: at once.</param>
/// <param name="ValidUntil">Orders can use it before then. Null: without end.</param>
/// <param name="ProductIds">The products that it applies to, besides those of <paramref name="EventIds"/>. Both null: all.</param>
public sealed record Coupon(
    long Id, string Name, long Discount, int TotalQuantity, int IssuedQuantity,
    DateTime StartsAt, DateTime EndsAt, string Status, int Version, int GateEpoch, int? Percent = null, long? MinOrderAmount = null,
    DateTime? ValidFrom = null, DateTime? ValidUntil = null, HashSet<long>? ProductIds = null, HashSet<long>? EventIds = null) : IVersioned
{
    /// <summary>How long the gate of an ended coupon is kept. Longer than any clock skew: after it the coupon has certainly ended.</summary>
    public static readonly TimeSpan GateRetention = TimeSpan.FromHours(1);

    /// <summary>Whether its gate is no longer needed.</summary>
    public bool IsLongOver(DateTimeOffset now) => EndsAt + GateRetention < now.UtcDateTime;

    /// <summary>The columns in the order and under the names of this record.</summary>
    public const string Columns = """
        id AS Id, name AS Name, discount AS Discount, total_quantity AS TotalQuantity, issued_quantity AS IssuedQuantity,
        starts_at AS StartsAt, ends_at AS EndsAt, status AS Status, version AS Version, gate_epoch AS GateEpoch, percent AS Percent, min_order_amount AS MinOrderAmount,
        valid_from AS ValidFrom, valid_until AS ValidUntil, product_ids AS ProductIds, event_ids AS EventIds
        """;
}
