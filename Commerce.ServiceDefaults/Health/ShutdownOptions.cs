using System.ComponentModel.DataAnnotations;

namespace Commerce.ServiceDefaults;

/// <summary>How the process ends. Configuration section <c>Shutdown</c>.</summary>
public sealed class ShutdownOptions
{
    public const string Section = "Shutdown";

    /// <summary>All that the end may take: the drain, the requests under way, the background work.</summary>
    internal static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long the server still serves after readiness went off, so that load balancers notice: 0 to 20 s. Default: 0 in Development,
    /// else 2 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:20")]
    public TimeSpan DrainDelay { get; set; }
}
