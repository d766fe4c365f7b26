using Commerce.Core.Catalog;

namespace Commerce.Core.Coupons;

/// <summary>A coupon as the database has it.</summary>
/// <param name="Discount">Whole KRW.</param>
/// <param name="Status"><c>ACTIVE</c>, <c>CANCELLED</c>, or, by the event that it belongs to, <c>WAITING</c> (to open) or <c>CLOSED</c>.</param>
/// <param name="Version">Raised by every change.</param>
/// <param name="GateEpoch">How often the gate in Redis was claimed for opening; 0: never.</param>
public sealed record Coupon(
    long Id, string Name, long Discount, int TotalQuantity, int IssuedQuantity,
    DateTime StartsAt, DateTime EndsAt, string Status, int Version, int GateEpoch) : IVersioned
{
    /// <summary>How long after its end a coupon's gate is kept. More than clocks differ: after it nobody needs to ask the gate whether it is over.</summary>
    public static readonly TimeSpan GateRetention = TimeSpan.FromHours(1);

    /// <summary>Whether nobody needs its gate any more.</summary>
    public bool IsLongOver(DateTimeOffset now) => EndsAt + GateRetention < now.UtcDateTime;

    /// <summary>The columns of a coupon in the order and under the names of this record.</summary>
    public const string Columns = """
        id AS Id, name AS Name, discount AS Discount, total_quantity AS TotalQuantity, issued_quantity AS IssuedQuantity,
        starts_at AS StartsAt, ends_at AS EndsAt, status AS Status, version AS Version, gate_epoch AS GateEpoch
        """;
}
