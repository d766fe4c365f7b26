using System.ComponentModel.DataAnnotations;

namespace Commerce.Core.Retention;

/// <summary>How long rows are kept that nothing needs any more. Configuration section <c>Retention</c>. Each 1 min to 10 years.</summary>
public sealed class RetentionOptions
{
    public const string Section = "Retention";

    /// <summary>Recipients and addresses of orders that are closed: personal data. From the order on; default 180 days.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "3660.00:00:00")]
    public TimeSpan Shipping { get; init; } = TimeSpan.FromDays(180);

    /// <summary>Attempts to pay that were settled. From the payment on; default 2 years.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "3660.00:00:00")]
    public TimeSpan PaymentAttempts { get; init; } = TimeSpan.FromDays(730);

    /// <summary>Barriers of coupons that ended. From the end of the coupon on; default 30 days.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "3660.00:00:00")]
    public TimeSpan RebuildBarriers { get; init; } = TimeSpan.FromDays(30);

    /// <summary>What was found to differ between Redis and the database, and repaired. Default 90 days.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "3660.00:00:00")]
    public TimeSpan InventoryDrift { get; init; } = TimeSpan.FromDays(90);
}
