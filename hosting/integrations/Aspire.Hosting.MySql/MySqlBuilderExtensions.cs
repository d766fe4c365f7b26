using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using MySqlConnector;

namespace Aspire.Hosting;

/// <summary>Adds MySQL servers and their databases to the application model.</summary>
public static class MySqlBuilderExtensions
{
    /// <summary>Adds a MySQL server. Its databases are created when it is ready.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="name">The name of the resource.</param>
    /// <param name="password">The password of <c>root</c>. Null generates one.</param>
    /// <param name="port">The port on the host. Null chooses one.</param>
    public static IResourceBuilder<MySqlServerResource> AddMySql(
        this IDistributedApplicationBuilder builder, [ResourceName] string name, IResourceBuilder<ParameterResource>? password = null, int? port = null)
    {
        var server = new MySqlServerResource(name,
            password?.Resource ?? ParameterResourceBuilderExtensions.CreateDefaultPasswordParameter(builder, $"{name}-password"));
        return builder.AddResource(server)
            .WithEndpoint(port: port, targetPort: 3306, name: "tcp")
            .WithImage("library/mysql", "9.7").WithImageRegistry("docker.io")
            .WithEnvironment(context => context.EnvironmentVariables["MYSQL_ROOT_PASSWORD"] = server.PasswordParameter)
            .WithHealthCheck(AddHealthCheck(builder, server))
            .OnResourceReady(CreateDatabasesAsync);
    }

    /// <summary>Adds a database that other resources can reference.</summary>
    /// <param name="builder">The server.</param>
    /// <param name="name">The name of the resource.</param>
    /// <param name="databaseName">The name of the database. Null uses <paramref name="name"/>.</param>
    public static IResourceBuilder<MySqlDatabaseResource> AddDatabase(
        this IResourceBuilder<MySqlServerResource> builder, [ResourceName] string name, string? databaseName = null)
    {
        var database = new MySqlDatabaseResource(name, databaseName ?? name, builder.Resource);
        builder.Resource.Add(database);
        return builder.ApplicationBuilder.AddResource(database).WithHealthCheck(AddHealthCheck(builder.ApplicationBuilder, database));
    }

    /// <summary>Keeps the data in a named volume.</summary>
    public static IResourceBuilder<MySqlServerResource> WithDataVolume(
        this IResourceBuilder<MySqlServerResource> builder, string? name = null, bool isReadOnly = false) =>
        builder.WithVolume(name ?? VolumeNameGenerator.Generate(builder, "data"), "/var/lib/mysql", isReadOnly);

    static string AddHealthCheck(IDistributedApplicationBuilder builder, IResourceWithConnectionString resource)
    {
        var key = $"{resource.Name}_check";
        builder.Services.AddHealthChecks().Add(new HealthCheckRegistration(key, _ => new OpenConnection(resource), null, null));
        return key;
    }

    static async Task CreateDatabasesAsync(MySqlServerResource server, ResourceReadyEvent ready, CancellationToken cancellationToken)
    {
        await using var connection = new MySqlConnection(await server.ConnectionStringExpression.GetValueAsync(cancellationToken));
        await connection.OpenAsync(cancellationToken);
        foreach (var database in server.Databases.Values)
        {
            await using var command = new MySqlCommand($"CREATE DATABASE IF NOT EXISTS `{database.Replace("`", "``", StringComparison.Ordinal)}`", connection);
            await command.ExecuteNonQueryAsync(cancellationToken);
        }
    }

    sealed class OpenConnection(IResourceWithConnectionString resource) : IHealthCheck
    {
        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            try
            {
                await using var connection = new MySqlConnection(
                    $"{await resource.GetConnectionStringAsync(cancellationToken)};Pooling=false;Connection Timeout=3");
                await connection.OpenAsync(cancellationToken);
                return HealthCheckResult.Healthy();
            }
            catch (MySqlException e)
            {
                return HealthCheckResult.Unhealthy(e.Message);
            }
        }
    }
}
