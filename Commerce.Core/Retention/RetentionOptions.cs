using System.ComponentModel.DataAnnotations;

namespace Commerce.Core.Retention;

/// <summary>How long obsolete rows are kept: 1 min to 10 years each. Configuration section <c>Retention</c>.</summary>
public sealed class RetentionOptions
{
    public const string Section = "Retention";

    /// <summary>Recipients and addresses of closed orders (personal data), counted from the order. Default 180 days.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "3660.00:00:00")]
    public TimeSpan Shipping { get; init; } = TimeSpan.FromDays(180);

    /// <summary>Settled payment attempts, counted from the payment. Default 2 years.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "3660.00:00:00")]
    public TimeSpan PaymentAttempts { get; init; } = TimeSpan.FromDays(730);

    /// <summary>Rebuild barriers of ended coupons, counted from the end of the coupon. Default 30 days.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "3660.00:00:00")]
    public TimeSpan RebuildBarriers { get; init; } = TimeSpan.FromDays(30);

    /// <summary>Records of repaired inventory drift. Default 90 days.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "3660.00:00:00")]
    public TimeSpan InventoryDrift { get; init; } = TimeSpan.FromDays(90);

    /// <summary>Records of administrators' actions. Default 2 years.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "3660.00:00:00")]
    public TimeSpan AdminActions { get; init; } = TimeSpan.FromDays(730);

    /// <summary>Admissions of waiting rooms, counted from the end of the pass. Default 30 days.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "3660.00:00:00")]
    public TimeSpan Admissions { get; init; } = TimeSpan.FromDays(30);
}
