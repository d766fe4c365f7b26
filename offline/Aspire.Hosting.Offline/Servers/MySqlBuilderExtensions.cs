using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Health;
using Aspire.Hosting.Servers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting;

public static class MySqlBuilderExtensions
{
    /// <summary>A MySQL server of its own, on a port of its own that has no proxy: when it is killed, connections are refused.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="name">The resource's name.</param>
    /// <param name="password">Of root; when null the parameter name-password, generated once and kept.</param>
    /// <param name="port">Chosen when null.</param>
    public static IResourceBuilder<MySqlServerResource> AddMySql(
        this IDistributedApplicationBuilder builder, string name, IResourceBuilder<ParameterResource>? password = null, int? port = null)
    {
        var server = new MySqlServerResource(name, password?.Resource ?? builder.CreatePassword($"{name}-password"));
        var process = new MySqlProcess(server, DataFolder.Of(builder));
        builder.Services.AddHealthChecks().Add(new HealthCheckRegistration(
            $"{name}_check", _ => new TcpHealthCheck(server.PrimaryEndpoint, MySqlProcess.ReadGreetingAsync), null, null));
        return builder.AddResource(server)
            .WithEndpoint(port: port, name: MySqlServerResource.PrimaryEndpointName, isProxied: false)
            .WithEndpoint(MySqlServerResource.PrimaryEndpointName, e => e.TargetHost = "127.0.0.1")
            .WithAnnotation(new NativeServerAnnotation(process.PrepareAsync))
            .WithHealthCheck($"{name}_check");
    }

    /// <summary>A database that the server makes when it starts.</summary>
    public static IResourceBuilder<MySqlDatabaseResource> AddDatabase(
        this IResourceBuilder<MySqlServerResource> builder, string name, string? databaseName = null)
    {
        var database = new MySqlDatabaseResource(name, databaseName ?? name, builder.Resource);
        builder.Resource.Add(database);
        return builder.ApplicationBuilder.AddResource(database);
    }

    /// <summary>Keeps the data in .data/name.</summary>
    public static IResourceBuilder<MySqlServerResource> WithDataVolume(
        this IResourceBuilder<MySqlServerResource> builder, string? name = null, bool isReadOnly = false) =>
        builder.WithAnnotation(new DataVolumeAnnotation(name ?? $"{builder.Resource.Name}-data"),
            ResourceAnnotationMutationBehavior.Replace);

    public static IResourceBuilder<MySqlServerResource> WithPassword(
        this IResourceBuilder<MySqlServerResource> builder, IResourceBuilder<ParameterResource> password)
    {
        builder.Resource.PasswordParameter = password.Resource;
        return builder;
    }
}
