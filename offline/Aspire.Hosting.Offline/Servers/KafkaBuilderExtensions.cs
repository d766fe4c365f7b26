using System.Globalization;
using System.Net.Sockets;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Health;
using Aspire.Hosting.Servers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting;

public static class KafkaBuilderExtensions
{
    /// <summary>The broker of offline/KafkaBroker, on a port of its own. Its topics and messages are in memory.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="name">The resource's name.</param>
    /// <param name="port">Chosen when null.</param>
    public static IResourceBuilder<KafkaServerResource> AddKafka(this IDistributedApplicationBuilder builder, string name, int? port = null)
    {
        var kafka = new KafkaServerResource(name);
        builder.Services.AddHealthChecks().Add(new HealthCheckRegistration(
            $"{name}_check", _ => new TcpHealthCheck(kafka.PrimaryEndpoint, AskVersionsAsync), null, null));
        return builder.AddResource(kafka)
            .WithEndpoint(port: port, name: KafkaServerResource.PrimaryEndpointName, isProxied: false)
            .WithEndpoint(KafkaServerResource.PrimaryEndpointName, e => e.TargetHost = "127.0.0.1")
            .WithAnnotation(new NativeServerAnnotation(_ => Task.FromResult(Describe(kafka))))
            .WithHealthCheck($"{name}_check");
    }

    static ProcessDescription Describe(KafkaServerResource kafka)
    {
        var port = kafka.PrimaryEndpoint.Port.ToString(CultureInfo.InvariantCulture);
        var broker = ServerPrograms.KafkaBroker;
        return new(ServerPrograms.DotNet, Path.GetDirectoryName(broker)!, ["exec", broker, "--port", port])
        {
            Environment = new() { ["LD_PRELOAD"] = ServerPrograms.FixedPort, ["FIXED_PORT"] = port },
        };
    }

    /// <summary>An ApiVersions request of version 0, with correlation id 7 and no client id.</summary>
    static async Task<string?> AskVersionsAsync(NetworkStream stream, CancellationToken cancellationToken)
    {
        await stream.WriteAsync(new byte[] { 0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff }, cancellationToken);
        var answer = new byte[10];
        await stream.ReadExactlyAsync(answer, cancellationToken);
        return answer is [_, _, _, _, 0, 0, 0, 7, 0, 0] ? null : "The broker did not understand an ApiVersions request.";
    }
}

public class KafkaServerResource(string name) : ContainerResource(name), IResourceWithConnectionString
{
    internal const string PrimaryEndpointName = "tcp";

    public EndpointReference PrimaryEndpoint => new(this, PrimaryEndpointName);

    public EndpointReferenceExpression Host => PrimaryEndpoint.Property(EndpointProperty.Host);

    public EndpointReferenceExpression Port => PrimaryEndpoint.Property(EndpointProperty.Port);

    public ReferenceExpression ConnectionStringExpression =>
        ReferenceExpression.Create($"{PrimaryEndpoint.Property(EndpointProperty.HostAndPort)}");

    IEnumerable<KeyValuePair<string, ReferenceExpression>> IResourceWithConnectionString.GetConnectionProperties() =>
        [new("Host", ReferenceExpression.Create($"{Host}")), new("Port", ReferenceExpression.Create($"{Port}"))];
}
