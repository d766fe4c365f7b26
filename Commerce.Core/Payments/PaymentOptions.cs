using System.ComponentModel.DataAnnotations;

namespace Commerce.Core.Payments;

/// <summary>Payments and their settlement. Configuration section <c>Payments</c>.</summary>
public sealed class PaymentOptions
{
    public const string Section = "Payments";

    /// <summary>How long an order holds its stock after its payment is prepared: 1 s to 1 day. Default 10 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan Extension { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// The time after which an attempt that is not in the gateway's history counts as not captured: 1 s to 1 h. It must be longer than
    /// the gateway processes any call. Default 60 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan SettleAfter { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>How long the gateway is queried about an abandoned attempt: 1 s to 1 day. Default 30 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan WatchAbandoned { get; set; } = TimeSpan.FromMinutes(30);

    /// <summary>
    /// A payment or refund that stays open for longer is logged as an error every minute and counted until it is settled: 1 s to 1 day.
    /// Default 10 min.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan OverdueAfter { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// The wait before a rejected refund for missing stock is requested again: 1 s to 1 h. It doubles each time, up to 6 h. Default 1
    /// min.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan RefundRetryDelay { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How often the gateway's history is read for refunds made at the gateway itself: 1 s to 1 day. Default 10 s.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan HistoryInterval { get; set; } = TimeSpan.FromSeconds(10);
}
