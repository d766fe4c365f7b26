using System.ComponentModel.DataAnnotations;

namespace Commerce.Core.Payments;

/// <summary>Where the payment gateway is, and as whom we come. Configuration section <c>Payments:Gateway</c>.</summary>
public sealed class PaymentGatewayOptions
{
    public const string Section = "Payments:Gateway";

    /// <summary>
    /// Absolute: NaverPay's <c>https://pay.paygate.naver.com</c> (<c>https://dev-pay.paygate.naver.com</c> for trials), or the sandbox, whose host may be
    /// the name of a service.
    /// </summary>
    [Required]
    public Uri? BaseAddress { get; set; }

    /// <summary>The page at which browsers pay; absolute. For NaverPay the shop's own <c>/naverpay.html</c>, which opens NaverPay's window.</summary>
    [Required]
    public Uri? PayWindowUrl { get; set; }

    /// <summary>NaverPay's id of the partner, the first part of the path of every call. Default <c>naverpay-partner</c>.</summary>
    [Required, RegularExpression("[A-Za-z0-9_-]+")]
    public string PartnerId { get; set; } = "naverpay-partner";

    /// <summary>Public: the pay window needs it, too.</summary>
    [Required]
    public string ClientId { get; set; } = "";

    /// <summary>A secret; goes into a header of each call and nowhere else.</summary>
    [Required]
    public string ClientSecret { get; set; } = "";

    /// <summary>Public: the pay window needs it, too.</summary>
    [Required]
    public string ChainId { get; set; } = "";

    /// <summary>What NaverPay's window is told: <c>production</c>, where money moves, or <c>development</c>. Default <c>production</c>.</summary>
    [Required, RegularExpression("production|development")]
    public string Mode { get; set; } = "production";

    /// <summary>
    /// Says that the gateway is the sandbox, which gives goods away for nothing. Outside of Development it is used only where this is said; the page and the
    /// log then warn of it. Default false.
    /// </summary>
    public bool Sandbox { get; set; }

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
