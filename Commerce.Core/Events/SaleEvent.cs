using System.Globalization;
using Commerce.Core.Database;

namespace Commerce.Core.Events;

/// <summary>The states of an event.</summary>
public static class EventStatus
{
    /// <summary>The event has no opening time yet.</summary>
    public const string Draft = "DRAFT";
    /// <summary>The event opens at its opening time.</summary>
    public const string Pending = "PENDING";
    /// <summary>The coupons of the event can be issued.</summary>
    public const string Open = "OPEN";
    /// <summary>The event is over.</summary>
    public const string Closed = "CLOSED";
    /// <summary>An administrator cancelled the event, before or after its opening.</summary>
    public const string Cancelled = "CANCELLED";
}

/// <summary>Who opened an event.</summary>
public static class OpenedBy
{
    public const string Listener = "LISTENER";
    public const string Poll = "POLL";
    public const string Recovery = "RECOVERY";
    public const string Forced = "FORCED";
}

/// <summary>An event in the database.</summary>
/// <param name="OpensAt">The planned opening. Null for a draft. If the opening was forced, its actual time.</param>
/// <param name="ClosesAt">The planned closing. Null: the event stays open.</param>
/// <param name="Status">One of <see cref="EventStatus"/>.</param>
/// <param name="CouponIds">In ascending order. They can be issued while the event is OPEN.</param>
/// <param name="ProductIds">In ascending order.</param>
/// <param name="WaitingRoomRate">The number of shoppers per second that the waiting room admits. Null: no waiting room.</param>
/// <param name="MaxPerCustomer">The number of units of each product that one customer may have while the event is open. Null: only
/// the products' own limits apply.</param>
public sealed record SaleEvent(
    long Id, string Name, DateTime? OpensAt, DateTime? ClosesAt, string Status, IReadOnlyList<long> CouponIds, IReadOnlyList<long> ProductIds,
    int? WaitingRoomRate, int? MaxPerCustomer, DateTime? OpenedAt, DateTime? ClosedAt, int Version) : IVersioned;

/// <summary>The definition of an event.</summary>
/// <param name="Name">1 to 200 characters.</param>
/// <param name="OpensAt">The planned opening, with its offset. Stored in UTC and whole milliseconds. A past time opens the event at
/// once. Null makes it a draft.</param>
/// <param name="ClosesAt">The planned closing, after <paramref name="OpensAt"/>. Null: the event stays open.</param>
/// <param name="CouponIds">At most 50 coupons. None may belong to another event.</param>
/// <param name="ProductIds">At most 50 products.</param>
/// <param name="WaitingRoomRate">The event's products are sold through a waiting room that admits this many shoppers per second: 1 to
/// 10,000. Null: no waiting room.</param>
/// <param name="MaxPerCustomer">The number of units of each product that one customer may have in orders that hold stock or are paid:
/// 1 to 10,000. It applies while the event is open, in addition to the product's own limit. Null: no limit.</param>
public sealed record EventDefinition(
    string Name, DateTimeOffset? OpensAt, DateTimeOffset? ClosesAt, IReadOnlyList<long>? CouponIds, IReadOnlyList<long>? ProductIds, int? WaitingRoomRate,
    int? MaxPerCustomer = null)
{
    const int MaxLinks = 50;
    const int MaxRate = 10_000;
    const int MaxLimit = 10_000;

    /// <summary>The errors by field; empty if the definition is valid.</summary>
    public Dictionary<string, string[]> Validate()
    {
        var errors = new EventTimes(OpensAt, ClosesAt).Validate();
        DisplayText.Check(errors, "name", Name, 200);
        if (!AreIds(CouponIds)) errors["couponIds"] = [$"Must be at most {MaxLinks} different ids."];
        if (!AreIds(ProductIds)) errors["productIds"] = [$"Must be at most {MaxLinks} different ids."];
        if (WaitingRoomRate is < 1 or > MaxRate) errors["waitingRoomRate"] = [$"Must be 1 to {MaxRate}, or null for no waiting room."];
        if (MaxPerCustomer is < 1 or > MaxLimit) errors["maxPerCustomer"] = [$"Must be 1 to {MaxLimit}, or null for no limit."];
        return errors;
    }

    static bool AreIds(IReadOnlyList<long>? ids) =>
        ids is null || (ids.Count <= MaxLinks && ids.All(id => id > 0) && ids.Distinct().Count() == ids.Count);
}

/// <summary>The opening and closing time of an event. Null: not set.</summary>
public sealed record EventTimes(DateTimeOffset? OpensAt, DateTimeOffset? ClosesAt)
{
    /// <summary>The errors by field; empty if the times are valid.</summary>
    public Dictionary<string, string[]> Validate()
    {
        var errors = new Dictionary<string, string[]>();
        if (OpensAt is { Year: < 2000 or > 2999 }) errors["opensAt"] = ["Must be between the years 2000 and 2999."];
        if (ClosesAt is { Year: < 2000 or > 2999 } || ToDatabase(ClosesAt) <= ToDatabase(OpensAt)) errors["closesAt"] = ["Must be after opensAt and before the year 3000."];
        return errors;
    }

    /// <summary>Converts a time to UTC and whole milliseconds, the resolution of Redis.</summary>
    internal static DateTime? ToDatabase(DateTimeOffset? time) =>
        time is { } t ? DateTimeOffset.FromUnixTimeMilliseconds(t.ToUnixTimeMilliseconds()).UtcDateTime : null;
}

/// <summary>An opening or closing of an event.</summary>
/// <param name="Opens">True for an opening, false for a closing.</param>
public readonly record struct EventTransition(bool Opens, long EventId)
{
    const string Opening = "opening:";
    const string Closing = "closing:";

    /// <summary>The member of the schedule in Redis: <c>opening:ID</c> or <c>closing:ID</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{(Opens ? Opening : Closing)}{EventId}");

    /// <summary>Parses the result of <see cref="ToString"/>.</summary>
    public static bool TryParse(string? text, out EventTransition transition)
    {
        transition = default;
        if (text is not { Length: > 8 }) return false;
        transition = new(text.StartsWith(Opening, StringComparison.Ordinal),
            long.TryParse(text.AsSpan(Opening.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : 0);
        return transition.EventId > 0 && (transition.Opens || text.StartsWith(Closing, StringComparison.Ordinal));
    }
}

/// <summary>A transition with its due time.</summary>
/// <param name="Version">The event's version. It ensures that an older schedule never replaces a newer one.</param>
/// <param name="Wait">The time until the transition is due by the database's clock. It is due at 0 or less.</param>
public sealed record ScheduledTransition(EventTransition Transition, int Version, TimeSpan Wait);
