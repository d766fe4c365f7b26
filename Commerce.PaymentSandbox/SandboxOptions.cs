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

    /// <summary>The allowed return origins, such as <c>https://shop.example</c>; in Development this machine as well.</summary>
    public IReadOnlyList<string> ReturnOrigins { get; set; } = [];

    /// <summary>The file of the ledger; empty: in memory only. One process at a time may use it.</summary>
    public string? LedgerFile { get; set; }

    /// <summary>Must be true outside Development, or the sandbox does not start, because its shop gives goods away. Default false.</summary>
    public bool Allowed { get; set; }

    /// <summary>Whether faults can be switched on and everybody can read the ledger. Never where strangers come.</summary>
    public bool Switches { get; set; }
}
