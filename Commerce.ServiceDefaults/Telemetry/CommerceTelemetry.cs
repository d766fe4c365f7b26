using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Commerce.ServiceDefaults;

/// <summary>The application's own traces and metrics.</summary>
public static class CommerceTelemetry
{
    public const string Name = "Commerce";

    public static ActivitySource Source { get; } = new(Name);

    public static Meter Meter { get; } = new(Name);
}
