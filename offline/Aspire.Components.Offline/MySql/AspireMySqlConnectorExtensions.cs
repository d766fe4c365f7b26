using System.Data.Common;
using Aspire;
using Aspire.MySqlConnector;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.Extensions.Hosting;

public static class AspireMySqlConnectorExtensions
{
    private const string Section = "Aspire:MySqlConnector";

    /// <summary>
    /// Registers a singleton <see cref="DbDataSource"/> for ConnectionStrings:<paramref name="connectionName"/> and the health check
    /// "MySql". Every asynchronous call ends within its CommandTimeout or Connection Timeout, or when its token is cancelled.
    /// </summary>
    /// <exception cref="InvalidOperationException">When the data source is first asked for: there is no connection string.</exception>
    public static void AddMySqlDataSource(
        this IHostApplicationBuilder builder, string connectionName, Action<MySqlConnectorSettings>? configureSettings = null)
    {
        var settings = builder.BindSettings<MySqlConnectorSettings>(Section, connectionName);
        configureSettings?.Invoke(settings);

        builder.Services.AddSingleton<DbDataSource>(_ => new BoundedDataSource(settings.Required(Section, connectionName)));
        if (!settings.DisableHealthChecks)
            builder.TryAddHealthCheck("MySql", services =>
            {
                var source = services.GetRequiredService<DbDataSource>();
                return async token =>
                {
                    await using var command = source.CreateCommand("select 1");
                    await command.ExecuteScalarAsync(token);
                };
            });
    }
}
