namespace Aspire.MySqlConnector;

/// <summary>Settings of <c>AddMySqlDataSource</c>. Configuration section <c>Aspire:MySqlConnector</c>.</summary>
public sealed class MySqlConnectorSettings
{
    public string? ConnectionString { get; set; }

    public bool DisableHealthChecks { get; set; }

    public bool DisableTracing { get; set; }

    public bool DisableMetrics { get; set; }
}
