using System.ComponentModel.DataAnnotations;

namespace Commerce.Core.Payments;

/// <summary>Address and credentials of the payment gateway. Configuration section <c>Payments:Gateway</c>.</summary>
public sealed class PaymentGatewayOptions
{
    public const string Section = "Payments:Gateway";

    /// <summary>
    /// The absolute address of the gateway. For NaverPay <c>https://pay.paygate.naver.com</c>, or
    /// <c>https://dev-pay.paygate.naver.com</c> for tests. The host of the sandbox can be a service name.
    /// </summary>
    [Required]
    public Uri? BaseAddress { get; set; }

    /// <summary>
    /// The absolute address of the payment page. For NaverPay it is the shop's <c>/naverpay.html</c>, which opens NaverPay's window.
    /// </summary>
    [Required]
    public Uri? PayWindowUrl { get; set; }

    /// <summary>The partner id at NaverPay, the first segment of every path. Default <c>naverpay-partner</c>.</summary>
    [Required, RegularExpression("[A-Za-z0-9_-]+")]
    public string PartnerId { get; set; } = "naverpay-partner";

    /// <summary>The client id. It is public, because the payment window needs it.</summary>
    [Required]
    public string ClientId { get; set; } = "";

    /// <summary>The client secret. It is sent in a header of each call, and nowhere else.</summary>
    [Required]
    public string ClientSecret { get; set; } = "";

    /// <summary>The chain id. It is public, because the payment window needs it.</summary>
    [Required]
    public string ChainId { get; set; } = "";

    /// <summary>
    /// The mode of NaverPay's window: <c>production</c> (money moves) or <c>development</c>. Default <c>production</c>.
    /// </summary>
    [Required, RegularExpression("production|development")]
    public string Mode { get; set; } = "production";

    /// <summary>
    /// Whether the gateway is the sandbox, which gives goods away for free. It must be true to use the sandbox outside Development. Page
    /// and log then show a warning. Default false.
    /// </summary>
    public bool Sandbox { get; set; }

    /// <summary>Timeout of an approval: 100 ms to 2 min. Default 10 s. <c>HttpResilience:TotalTimeout</c> also applies.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:02:00")]
    public TimeSpan ApproveTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Timeout of a history query: 100 ms to 2 min. Default 3 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:02:00")]
    public TimeSpan QueryTimeout { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>Timeout of a cancel: 100 ms to 2 min. Default 10 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:02:00")]
    public TimeSpan CancelTimeout { get; set; } = TimeSpan.FromSeconds(10);
}
