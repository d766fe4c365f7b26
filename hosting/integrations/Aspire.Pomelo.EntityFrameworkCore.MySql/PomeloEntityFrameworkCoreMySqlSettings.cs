namespace Aspire.Pomelo.EntityFrameworkCore.MySql;

/// <summary>Settings of <c>AddMySqlDbContext</c>. Configuration section <c>Aspire:Pomelo:EntityFrameworkCore:MySql</c>.</summary>
public sealed class PomeloEntityFrameworkCoreMySqlSettings
{
    public string? ConnectionString { get; set; }

    /// <summary>The version of the server, for example <c>8.4.0-mysql</c>. Null asks the server on first use of the context.</summary>
    public string? ServerVersion { get; set; }

    public bool DisableRetry { get; set; }

    public bool DisableHealthChecks { get; set; }

    public bool DisableTracing { get; set; }

    public bool DisableMetrics { get; set; }

    /// <summary>The timeout of a command in seconds.</summary>
    public int? CommandTimeout { get; set; }
}
