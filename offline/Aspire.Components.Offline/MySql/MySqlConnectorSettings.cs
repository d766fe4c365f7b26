namespace Aspire.MySqlConnector;

/// <summary>Settings of <c>AddMySqlDataSource</c>, configuration section <c>Aspire:MySqlConnector</c>.</summary>
public sealed class MySqlConnectorSettings : IConnectionSettings
{
    public string? ConnectionString { get; set; }

    public bool DisableHealthChecks { get; set; }

    /// <summary>Without effect here: the driver's source is "connector-net", and the application chooses the sources it listens to.</summary>
    public bool DisableTracing { get; set; }

    /// <summary>Without effect here: the driver has no meters.</summary>
    public bool DisableMetrics { get; set; }
}
