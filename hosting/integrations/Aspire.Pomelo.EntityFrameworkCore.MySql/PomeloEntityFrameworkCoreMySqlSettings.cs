namespace Aspire.Pomelo.EntityFrameworkCore.MySql;

/// <summary>Settings of <c>AddMySqlDbContext</c>; configuration section <c>Aspire:Pomelo:EntityFrameworkCore:MySql</c>.</summary>
public sealed class PomeloEntityFrameworkCoreMySqlSettings
{
    public string? ConnectionString { get; set; }

    /// <summary>Such as <c>8.4.0-mysql</c>. Where it is null, the server is asked when the context is first used.</summary>
    public string? ServerVersion { get; set; }

    public bool DisableRetry { get; set; }

    public bool DisableHealthChecks { get; set; }

    public bool DisableTracing { get; set; }

    public bool DisableMetrics { get; set; }

    /// <summary>In seconds.</summary>
    public int? CommandTimeout { get; set; }
}
