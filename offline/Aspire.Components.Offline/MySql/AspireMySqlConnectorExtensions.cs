using System.Data.Common;
using Aspire;
using Aspire.MySqlConnector;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.Extensions.Hosting;

public static class AspireMySqlConnectorExtensions
{
    private const string Section = "Aspire:MySqlConnector";

    /// <summary>Registers a singleton <see cref="DbDataSource"/> for ConnectionStrings:<paramref name="connectionName"/> and the health check "MySql".</summary>
    /// <exception cref="InvalidOperationException">When the data source is first asked for: there is no connection string.</exception>
    public static void AddMySqlDataSource(
        this IHostApplicationBuilder builder, string connectionName, Action<MySqlConnectorSettings>? configureSettings = null) =>
        Add(builder, connectionName, serviceKey: null, configureSettings);

    /// <summary>The same as a keyed service; the key is <paramref name="name"/>, the health check "MySql_<paramref name="name"/>".</summary>
    public static void AddKeyedMySqlDataSource(
        this IHostApplicationBuilder builder, string name, Action<MySqlConnectorSettings>? configureSettings = null) =>
        Add(builder, name, serviceKey: name, configureSettings);

    private static void Add(
        IHostApplicationBuilder builder, string name, string? serviceKey, Action<MySqlConnectorSettings>? configureSettings)
    {
        var settings = builder.BindSettings<MySqlConnectorSettings>(Section, name);
        configureSettings?.Invoke(settings);

        // A null key is an unkeyed service.
        builder.Services.AddKeyedSingleton<DbDataSource>(serviceKey, (_, _) => new BoundedDataSource(settings.Required(Section, name)));
        if (!settings.DisableHealthChecks)
            builder.TryAddHealthCheck(serviceKey is null ? "MySql" : $"MySql_{name}", services =>
            {
                var source = services.GetRequiredKeyedService<DbDataSource>(serviceKey);
                return async token =>
                {
                    await using var command = source.CreateCommand("select 1");
                    await command.ExecuteScalarAsync(token);
                };
            });
    }
}
