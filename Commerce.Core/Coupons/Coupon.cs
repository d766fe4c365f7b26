using Commerce.Core.Database;

namespace Commerce.Core.Coupons;

/// <summary>A coupon in the database.</summary>
/// <param name="Discount">Whole KRW.</param>
/// <param name="Status"><c>ACTIVE</c>, <c>CANCELLED</c>, or, as part of an event, <c>WAITING</c> (to open) or <c>CLOSED</c>.</param>
/// <param name="Version">Incremented by every change.</param>
/// <param name="GateEpoch">The number of times the gate in Redis was claimed for opening; 0: never.</param>
public sealed record Coupon(
    long Id, string Name, long Discount, int TotalQuantity, int IssuedQuantity,
    DateTime StartsAt, DateTime EndsAt, string Status, int Version, int GateEpoch) : IVersioned
{
    /// <summary>How long the gate of an ended coupon is kept. Longer than any clock skew: after it the coupon has certainly ended.</summary>
    public static readonly TimeSpan GateRetention = TimeSpan.FromHours(1);

    /// <summary>Whether its gate is no longer needed.</summary>
    public bool IsLongOver(DateTimeOffset now) => EndsAt + GateRetention < now.UtcDateTime;

    /// <summary>The columns in the order and under the names of this record.</summary>
    public const string Columns = """
        id AS Id, name AS Name, discount AS Discount, total_quantity AS TotalQuantity, issued_quantity AS IssuedQuantity,
        starts_at AS StartsAt, ends_at AS EndsAt, status AS Status, version AS Version, gate_epoch AS GateEpoch
        """;
}
