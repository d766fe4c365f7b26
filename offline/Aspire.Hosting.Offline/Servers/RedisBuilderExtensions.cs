using System.Net.Sockets;
using System.Text;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Health;
using Aspire.Hosting.Servers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting;

public static class RedisBuilderExtensions
{
    /// <summary>A Redis server of its own, on a port of its own that has no proxy: when it is killed, connections are refused.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="name">The resource's name.</param>
    /// <param name="port">Chosen when null.</param>
    /// <param name="password">When null the parameter name-password, generated once and kept.</param>
    public static IResourceBuilder<RedisResource> AddRedis(
        this IDistributedApplicationBuilder builder, string name, int? port = null, IResourceBuilder<ParameterResource>? password = null)
    {
        var redis = new RedisResource(name, password?.Resource ?? builder.CreatePassword($"{name}-password"));
        var data = DataFolder.Of(builder);
        builder.Services.AddHealthChecks().Add(new HealthCheckRegistration(
            $"{name}_check", _ => new TcpHealthCheck(redis.PrimaryEndpoint, (s, ct) => PingAsync(redis, s, ct)), null, null));
        return builder.AddResource(redis)
            .WithEndpoint(port: port, name: RedisResource.PrimaryEndpointName, isProxied: false)
            .WithEndpoint(RedisResource.PrimaryEndpointName, e => e.TargetHost = "127.0.0.1")
            .WithAnnotation(new NativeServerAnnotation(ct => PrepareAsync(redis, data, ct)))
            .WithHealthCheck($"{name}_check");
    }

    /// <summary>Keeps the data in .data/name, and with it switches persistence on.</summary>
    public static IResourceBuilder<RedisResource> WithDataVolume(
        this IResourceBuilder<RedisResource> builder, string? name = null, bool isReadOnly = false)
    {
        builder.WithAnnotation(new DataVolumeAnnotation(name ?? $"{builder.Resource.Name}-data"),
            ResourceAnnotationMutationBehavior.Replace);
        return isReadOnly || builder.Resource.HasAnnotationOfType<PersistenceAnnotation>() ? builder : builder.WithPersistence();
    }

    /// <param name="builder">The server.</param>
    /// <param name="interval">Between snapshots; a minute when null.</param>
    /// <param name="keysChangedThreshold">So many changes at least.</param>
    public static IResourceBuilder<RedisResource> WithPersistence(
        this IResourceBuilder<RedisResource> builder, TimeSpan? interval = null, long keysChangedThreshold = 1) =>
        builder.WithAnnotation(
            new PersistenceAnnotation(interval ?? TimeSpan.FromSeconds(60), keysChangedThreshold),
                ResourceAnnotationMutationBehavior.Replace);

    static async Task<ProcessDescription> PrepareAsync(RedisResource redis, DataFolder data, CancellationToken cancellationToken)
    {
        var home = redis.TryGetLastAnnotation<DataVolumeAnnotation>(out var volume) ? data.Volume(volume.Name)
            : Directory.CreateDirectory(Path.Combine(data.Run, redis.Name)).FullName;
        var save = redis.TryGetLastAnnotation<PersistenceAnnotation>(out var p) ? FormattableString.Invariant($"{p.Interval.TotalSeconds:F0} {p.Changes}") : "\"\"";

        // In a file that only this user can read: a password on the command line is shown to everybody.
        var file = Path.Combine(data.Run, $"{redis.Name}.conf");
        DataFolder.WritePrivately(file, $"""
            bind 127.0.0.1
            port {redis.PrimaryEndpoint.Port}
            requirepass {Quote(await PasswordAsync(redis, cancellationToken))}
            dir {Quote(home)}
            save {save}
            appendonly no
            daemonize no

            """);
        return new(ServerPrograms.Redis, home, ["redis-server", file]);
    }

    static async Task<string?> PingAsync(RedisResource redis, NetworkStream stream, CancellationToken cancellationToken)
    {
        await stream.WriteAsync(
            Encoding.UTF8.GetBytes($"AUTH {Quote(await PasswordAsync(redis, cancellationToken))}\r\nPING\r\n"), cancellationToken);
        using var reader = new StreamReader(stream, leaveOpen: true);
        var authenticated = await reader.ReadLineAsync(cancellationToken);
        return authenticated != "+OK" ? authenticated ?? "The connection was closed."
            : await reader.ReadLineAsync(cancellationToken) is "+PONG" ? null : "PING was not answered.";
    }

    static async Task<string> PasswordAsync(RedisResource redis, CancellationToken cancellationToken) =>
        (await redis.PasswordParameter!.GetValueAsync(cancellationToken))!;

    static string Quote(string text) =>
        $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";

    sealed record PersistenceAnnotation(TimeSpan Interval, long Changes) : IResourceAnnotation;
}
