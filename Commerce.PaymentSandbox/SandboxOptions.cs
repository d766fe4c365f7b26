using System.ComponentModel.DataAnnotations;

namespace Commerce.PaymentSandbox;

/// <summary>The sandbox and its only merchant. Configuration section <c>Sandbox</c>.</summary>
sealed class SandboxOptions
{
    public const string Section = "Sandbox";

    [Required]
    public string ClientId { get; set; } = "";

    [Required]
    public string ClientSecret { get; set; } = "";

    [Required]
    public string ChainId { get; set; } = "";

    /// <summary>How long an authorised payment can be captured: 1 s to 1 h. Default 10 min, as at NaverPay.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan PaymentLifetime { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// The allowed return origins, such as <c>https://shop.example</c>. In Development, this machine is allowed as well.
    /// </summary>
    public IReadOnlyList<string> ReturnOrigins { get; set; } = [];

    /// <summary>The file of the ledger. Only one process at a time can use it. Without a file the ledger is in memory only.</summary>
    public string? LedgerFile { get; set; }

    /// <summary>
    /// Must be true outside Development, otherwise the sandbox does not start. A shop with the sandbox gives goods away for free. Default
    /// false.
    /// </summary>
    public bool Allowed { get; set; }

    /// <summary>Whether faults can be switched on and everybody can read the ledger. Never set it where strangers have access.</summary>
    public bool Switches { get; set; }
}
