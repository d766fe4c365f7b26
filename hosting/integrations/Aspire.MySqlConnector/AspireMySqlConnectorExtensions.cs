using System.Data.Common;
using Aspire.MySqlConnector;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using MySqlConnector;

namespace Microsoft.Extensions.Hosting;

/// <summary>Registers MySQL data sources.</summary>
public static class AspireMySqlConnectorExtensions
{
    const string Section = "Aspire:MySqlConnector";

    /// <summary>
    /// Registers <see cref="MySqlDataSource"/>, also as <see cref="DbDataSource"/>, for
    /// ConnectionStrings:<paramref name="connectionName"/>. It has the health check <c>MySql</c>, traces and metrics.
    /// </summary>
    /// <exception cref="InvalidOperationException">There is no connection string. Thrown on first use of the data source.</exception>
    public static void AddMySqlDataSource(
        this IHostApplicationBuilder builder, string connectionName, Action<MySqlConnectorSettings>? configureSettings = null)
    {
        var settings = new MySqlConnectorSettings();
        var section = builder.Configuration.GetSection(Section);
        section.Bind(settings);
        section.GetSection(connectionName).Bind(settings);
        settings.ConnectionString = builder.Configuration.GetConnectionString(connectionName) ?? settings.ConnectionString;
        configureSettings?.Invoke(settings);

        builder.Services.AddSingleton(services => new MySqlDataSourceBuilder(settings.ConnectionString
                ?? throw new InvalidOperationException($"There is no connection string: neither ConnectionStrings:{connectionName} nor {Section}:ConnectionString is set."))
            .UseLoggerFactory(services.GetService<ILoggerFactory>()).Build());
        builder.Services.AddSingleton<DbDataSource>(services => services.GetRequiredService<MySqlDataSource>());
        if (!settings.DisableHealthChecks)
            builder.Services.AddHealthChecks().Add(new HealthCheckRegistration("MySql",
                services => new Ping(services.GetRequiredService<MySqlDataSource>()), null, null));
        if (!settings.DisableTracing) builder.Services.AddOpenTelemetry().WithTracing(traces => traces.AddSource("MySqlConnector"));
        if (!settings.DisableMetrics) builder.Services.AddOpenTelemetry().WithMetrics(metrics => metrics.AddMeter("MySqlConnector"));
    }

    sealed class Ping(MySqlDataSource source) : IHealthCheck
    {
        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            try
            {
                await using var command = source.CreateCommand("SELECT 1");
                await command.ExecuteScalarAsync(cancellationToken);
                return HealthCheckResult.Healthy();
            }
            catch (MySqlException e)
            {
                return new HealthCheckResult(context.Registration.FailureStatus, exception: e);
            }
        }
    }
}
