using System.ComponentModel.DataAnnotations;

namespace Commerce.Core.Payments;

/// <summary>Where the payment gateway is, and as whom we come. Configuration section <c>Payments:Gateway</c>.</summary>
public sealed class PaymentGatewayOptions
{
    public const string Section = "Payments:Gateway";

    /// <summary>Absolute; the host may be the name of a service, such as <c>http://payment-sandbox</c>.</summary>
    [Required]
    public Uri? BaseAddress { get; set; }

    /// <summary>The page at which browsers pay; absolute.</summary>
    [Required]
    public Uri? PayWindowUrl { get; set; }

    [Required]
    public string ClientId { get; set; } = "";

    /// <summary>A secret; goes into a header of each call and nowhere else.</summary>
    [Required]
    public string ClientSecret { get; set; } = "";

    [Required]
    public string ChainId { get; set; } = "";

    /// <summary>The longest wait for an approval: 100 ms to 2 min. Default 10 s. <c>HttpResilience:TotalTimeout</c> bounds it, too.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:02:00")]
    public TimeSpan ApproveTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>The longest wait for the history: 100 ms to 2 min. Default 3 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:02:00")]
    public TimeSpan QueryTimeout { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>The longest wait for a cancel: 100 ms to 2 min. Default 10 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:02:00")]
    public TimeSpan CancelTimeout { get; set; } = TimeSpan.FromSeconds(10);
}
