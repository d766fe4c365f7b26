using System.Globalization;
using Commerce.Core.Catalog;
using Commerce.ServiceDefaults;

namespace Commerce.Core.Events;

/// <summary>The states of an event.</summary>
public static class EventStatus
{
    /// <summary>Has no time yet.</summary>
    public const string Draft = "DRAFT";
    /// <summary>Opens at its time.</summary>
    public const string Pending = "PENDING";
    /// <summary>Its coupons can be had.</summary>
    public const string Open = "OPEN";
    /// <summary>Is over.</summary>
    public const string Closed = "CLOSED";
    /// <summary>Will not open, or not any longer.</summary>
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

/// <summary>An event as the database has it.</summary>
/// <param name="OpensAt">Null in a draft. Of one that was forced open: when that was.</param>
/// <param name="ClosesAt">Null: it stays open.</param>
/// <param name="Status">One of <see cref="EventStatus"/>.</param>
/// <param name="CouponIds">In ascending order. They can be had while the event is OPEN.</param>
/// <param name="ProductIds">In ascending order.</param>
public sealed record SaleEvent(
    long Id, string Name, DateTime? OpensAt, DateTime? ClosesAt, string Status, IReadOnlyList<long> CouponIds, IReadOnlyList<long> ProductIds,
    DateTime? OpenedAt, DateTime? ClosedAt, int Version) : IVersioned;

/// <summary>What an administrator says an event is.</summary>
/// <param name="Name">1 to 200 characters.</param>
/// <param name="OpensAt">With the offset, kept in UTC and whole milliseconds; a time that is over opens it at once; null: a draft.</param>
/// <param name="ClosesAt">After <paramref name="OpensAt"/>; null: it stays open.</param>
/// <param name="CouponIds">At most 50 coupons, none of which belongs to another event.</param>
/// <param name="ProductIds">At most 50 products.</param>
public sealed record EventDefinition(
    string Name, DateTimeOffset? OpensAt, DateTimeOffset? ClosesAt, IReadOnlyList<long>? CouponIds, IReadOnlyList<long>? ProductIds)
{
    const int MaxLinks = 50;

    /// <summary>What is wrong with it, by field; empty where nothing is.</summary>
    public Dictionary<string, string[]> Validate()
    {
        var errors = new EventTimes(OpensAt, ClosesAt).Validate();
        DisplayText.Check(errors, "name", Name, 200);
        if (!AreIds(CouponIds)) errors["couponIds"] = [$"Must be at most {MaxLinks} different ids."];
        if (!AreIds(ProductIds)) errors["productIds"] = [$"Must be at most {MaxLinks} different ids."];
        return errors;
    }

    static bool AreIds(IReadOnlyList<long>? ids) =>
        ids is null || (ids.Count <= MaxLinks && ids.All(id => id > 0) && ids.Distinct().Count() == ids.Count);
}

/// <summary>When an event opens and closes; null: unset.</summary>
public sealed record EventTimes(DateTimeOffset? OpensAt, DateTimeOffset? ClosesAt)
{
    /// <summary>What is wrong with them, by field; empty where nothing is.</summary>
    public Dictionary<string, string[]> Validate()
    {
        var errors = new Dictionary<string, string[]>();
        if (OpensAt is { Year: < 2000 or > 2999 }) errors["opensAt"] = ["Must be between the years 2000 and 2999."];
        if (ClosesAt is { Year: < 2000 or > 2999 } || ClosesAt <= OpensAt) errors["closesAt"] = ["Must be after opensAt and before the year 3000."];
        return errors;
    }

    /// <summary>Whole milliseconds, in which Redis counts.</summary>
    internal static DateTime? ToDatabase(DateTimeOffset? time) =>
        time is { } t ? DateTimeOffset.FromUnixTimeMilliseconds(t.ToUnixTimeMilliseconds()).UtcDateTime : null;
}

/// <summary>What is to happen to an event at a time.</summary>
/// <param name="Opens">True: it opens; false: it closes.</param>
public readonly record struct EventTransition(bool Opens, long EventId)
{
    const string Opening = "opening:";
    const string Closing = "closing:";

    /// <summary>The member of the schedule in Redis, <c>opening:ID</c> or <c>closing:ID</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{(Opens ? Opening : Closing)}{EventId}");

    /// <summary>Reads what <see cref="ToString"/> wrote; false where it is anything else.</summary>
    public static bool TryParse(string? text, out EventTransition transition)
    {
        transition = default;
        if (text is not { Length: > 8 }) return false;
        transition = new(text.StartsWith(Opening, StringComparison.Ordinal),
            long.TryParse(text.AsSpan(Opening.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : 0);
        return transition.EventId > 0 && (transition.Opens || text.StartsWith(Closing, StringComparison.Ordinal));
    }
}

/// <summary>When a moment is due.</summary>
/// <param name="Version">The event's, so that an older plan never replaces a newer one.</param>
/// <param name="Wait">How long until then by the database's clock; 0 or less: due.</param>
public sealed record ScheduledTransition(EventTransition Transition, int Version, TimeSpan Wait);
