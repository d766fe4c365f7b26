namespace Aspire.Hosting;

public sealed class DistributedApplicationOptions
{
    public string[]? Args { get; set; }
    /// <summary>The AppHost's assembly; the entry assembly when null.</summary>
    public string? AssemblyName { get; set; }
    /// <summary>The AppHost's folder; known from the assembly when null.</summary>
    public string? ProjectDirectory { get; set; }
    public bool DisableDashboard { get; set; }
    public string? DashboardApplicationName { get; set; }
    /// <summary>No meaning here: everything is on loopback and unencrypted.</summary>
    public bool AllowUnsecuredTransport { get; set; }
    /// <summary>Whether the resources' console output also goes to the AppHost's log.</summary>
    public bool EnableResourceLogging { get; set; }
}
