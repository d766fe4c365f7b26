using System.ComponentModel.DataAnnotations;

namespace Commerce.ServiceDefaults;

/// <summary>Graceful shutdown. Configuration section <c>Shutdown</c>.</summary>
public sealed class ShutdownOptions
{
    public const string Section = "Shutdown";

    /// <summary>The time limit for the whole shutdown: the drain, running requests and background work.</summary>
    internal static readonly TimeSpan Timeout = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long the server keeps serving after readiness fails, so that load balancers notice: 0 to 20 s. Default: 0 in Development,
    /// otherwise 2 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:20")]
    public TimeSpan DrainDelay { get; set; }
}
