using Aspire.Pomelo.EntityFrameworkCore.MySql;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.Extensions.Hosting;

/// <summary>Registers a <see cref="DbContext"/> for MySQL.</summary>
public static class AspireEFMySqlExtensions
{
    const string Section = "Aspire:Pomelo:EntityFrameworkCore:MySql";

    /// <summary>
    /// Registers a pooled <typeparamref name="TContext"/> for ConnectionStrings:<paramref name="connectionName"/>. It has a health check
    /// with the name of the context, traces and metrics.
    /// </summary>
    /// <exception cref="InvalidOperationException">There is no connection string. Thrown on first use of the context.</exception>
    public static void AddMySqlDbContext<TContext>(
        this IHostApplicationBuilder builder, string connectionName, Action<PomeloEntityFrameworkCoreMySqlSettings>? configureSettings = null,
        Action<DbContextOptionsBuilder>? configureDbContextOptions = null) where TContext : DbContext
    {
        var settings = new PomeloEntityFrameworkCoreMySqlSettings();
        var section = builder.Configuration.GetSection(Section);
        section.Bind(settings);
        section.GetSection(typeof(TContext).Name).Bind(settings);
        settings.ConnectionString = builder.Configuration.GetConnectionString(connectionName) ?? settings.ConnectionString;
        configureSettings?.Invoke(settings);

        builder.Services.AddDbContextPool<TContext>(options =>
        {
            var connection = settings.ConnectionString ?? throw new InvalidOperationException(
                $"There is no connection string: neither ConnectionStrings:{connectionName} nor {Section}:ConnectionString is set.");
            var version = settings.ServerVersion is { } known ? ServerVersion.Parse(known) : ServerVersion.AutoDetect(connection);
            options.UseMySql(connection, version, mySql =>
            {
                if (!settings.DisableRetry) mySql.EnableRetryOnFailure();
                if (settings.CommandTimeout is { } seconds) mySql.CommandTimeout(seconds);
            });
            configureDbContextOptions?.Invoke(options);
        });
        if (!settings.DisableHealthChecks) builder.Services.AddHealthChecks().AddDbContextCheck<TContext>(typeof(TContext).Name);
        if (!settings.DisableTracing) builder.Services.AddOpenTelemetry().WithTracing(traces => traces.AddSource("MySqlConnector"));
        if (!settings.DisableMetrics) builder.Services.AddOpenTelemetry().WithMetrics(metrics => metrics.AddMeter("MySqlConnector"));
    }
}
