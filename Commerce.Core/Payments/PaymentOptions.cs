using System.ComponentModel.DataAnnotations;

namespace Commerce.Core.Payments;

/// <summary>How payments are made and settled. Configuration section <c>Payments</c>.</summary>
public sealed class PaymentOptions
{
    public const string Section = "Payments";

    /// <summary>How long an order holds its pieces from the moment that its payment is prepared: 1 s to 1 day. Default 10 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan Extension { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// What the gateway's history does not have so long after an attempt began was not captured: 1 s to 1 h, longer than the gateway works on
    /// anything. Default 60 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan SettleAfter { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>How long the gateway is asked whether an attempt was captured after all: 1 s to 1 day. Default 30 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan WatchAbandoned { get; set; } = TimeSpan.FromMinutes(30);

    /// <summary>
    /// A payment, or a refund, that the gateway has left open for so long is told as an error, again and again, and counted, until it is settled: 1 s to
    /// 1 day. Default 10 min.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan OverdueAfter { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// A refund of our own (the stock was not there) that the gateway refused is asked for again after this: 1 s to 1 h. The wait doubles each time, up
    /// to 6 h. Default 1 min.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan RefundRetryDelay { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How often the gateway's history is read for refunds that were made at the gateway itself: 1 s to 1 day. Default 10 s.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan HistoryInterval { get; set; } = TimeSpan.FromSeconds(10);
}
