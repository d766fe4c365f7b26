namespace Commerce.Core.Catalog;

/// <summary>
/// The columns that the catalogue writes: the definition and its version. The tables have more columns, which belong to the sale
/// (stock, issued quantity, status, gate epoch). No row type has them, so EF Core cannot write them.
/// </summary>
abstract class DefinitionRow
{
    public long Id { get; init; }

    public int Version { get; init; } = 1;
}

sealed class ProductRow : DefinitionRow
{
    public required string Name { get; init; }

    public required long Price { get; init; }

    public required bool OnSale { get; init; }

    public required int? MaxPerCustomer { get; init; }
}

sealed class CouponRow : DefinitionRow
{
    public required string Name { get; init; }

    public required long Discount { get; init; }

    public required int TotalQuantity { get; init; }

    public required DateTime StartsAt { get; init; }

    public required DateTime EndsAt { get; init; }

    public required int? Percent { get; init; }

    public required long? MinOrderAmount { get; init; }

    public required DateTime? ValidFrom { get; init; }

    public required DateTime? ValidUntil { get; init; }

    public required string? ProductIds { get; init; }

    public required string? EventIds { get; init; }
}

sealed class EventRow : DefinitionRow
{
    public required string Name { get; init; }

    public required DateTime? OpensAt { get; init; }

    public required DateTime? ClosesAt { get; init; }

    public required int? WaitingRoomRate { get; init; }

    public required int? MaxPerCustomer { get; init; }
}

/// <summary>An event as it is read, including the columns of the sale.</summary>
sealed class EventView
{
    public long Id { get; init; }
    public string Name { get; init; } = "";
    public DateTime? OpensAt { get; init; }
    public DateTime? ClosesAt { get; init; }
    public string Status { get; init; } = "";
    public int? WaitingRoomRate { get; init; }
    public int? MaxPerCustomer { get; init; }
    public DateTime? OpenedAt { get; init; }
    public DateTime? ClosedAt { get; init; }
    public int Version { get; init; }
}

/// <summary>A coupon of an event.</summary>
sealed class EventCouponView
{
    public long EventId { get; init; }
    public long CouponId { get; init; }
}

/// <summary>A product of an event.</summary>
sealed class EventProductView
{
    public long EventId { get; init; }
    public long ProductId { get; init; }
}
