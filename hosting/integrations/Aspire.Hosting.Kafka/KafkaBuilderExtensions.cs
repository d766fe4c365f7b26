using System.Net.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting;

/// <summary>Adds Kafka brokers to the application model.</summary>
public static class KafkaBuilderExtensions
{
    const int BrokerPort = 9092, InternalPort = 9093;
    const string DataFolder = "/var/lib/kafka/data";

    /// <summary>Adds a broker that is its own controller.</summary>
    /// <param name="builder">The application.</param>
    /// <param name="name">The name of the resource.</param>
    /// <param name="port">The port on the host. Null chooses one.</param>
    public static IResourceBuilder<KafkaServerResource> AddKafka(this IDistributedApplicationBuilder builder, [ResourceName] string name, int? port = null)
    {
        var kafka = new KafkaServerResource(name);
        var check = $"{name}_check";
        builder.Services.AddHealthChecks().Add(new HealthCheckRegistration(check, _ => new ApiVersionsRequest(kafka), null, null));
        return builder.AddResource(kafka)
            .WithEndpoint(targetPort: BrokerPort, port: port, name: "tcp")
            .WithEndpoint(targetPort: InternalPort, name: "internal")
            .WithImage("confluentinc/confluent-local", "8.2.0").WithImageRegistry("docker.io")
            .WithEnvironment(context => DescribeListeners(kafka, context))
            .WithHealthCheck(check);
    }

    /// <summary>Keeps the log in a named volume.</summary>
    public static IResourceBuilder<KafkaServerResource> WithDataVolume(
        this IResourceBuilder<KafkaServerResource> builder, string? name = null, bool isReadOnly = false) =>
        builder.WithEnvironment("KAFKA_LOG_DIRS", DataFolder).WithVolume(name ?? VolumeNameGenerator.Generate(builder, "data"), DataFolder, isReadOnly);

    // The listener that a client connects to tells it which address to use. There is one listener for the host and one for containers.
    static void DescribeListeners(KafkaServerResource kafka, EnvironmentCallbackContext context)
    {
        var (host, inside) = (kafka.PrimaryEndpoint, kafka.InternalEndpoint);
        context.EnvironmentVariables["KAFKA_LISTENERS"] =
            $"PLAINTEXT://localhost:29092,CONTROLLER://localhost:29093,PLAINTEXT_HOST://0.0.0.0:{BrokerPort},PLAINTEXT_INTERNAL://0.0.0.0:{InternalPort}";
        context.EnvironmentVariables["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"] =
            "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT,PLAINTEXT_INTERNAL:PLAINTEXT";
        context.EnvironmentVariables["KAFKA_ADVERTISED_LISTENERS"] = context.ExecutionContext.IsRunMode
            ? ReferenceExpression.Create($"PLAINTEXT://localhost:29092,PLAINTEXT_HOST://localhost:{host.Property(EndpointProperty.Port)},PLAINTEXT_INTERNAL://{kafka.Name}:{inside.Property(EndpointProperty.TargetPort)}")
            : ReferenceExpression.Create($"PLAINTEXT://{host.Property(EndpointProperty.Host)}:29092,PLAINTEXT_HOST://{host.Property(EndpointProperty.HostAndPort)},PLAINTEXT_INTERNAL://{inside.Property(EndpointProperty.HostAndPort)}");
    }

    /// <summary>
    /// Sends the first request of every client: ApiVersions of version 0, with correlation id 7 and without a client id.
    /// </summary>
    sealed class ApiVersionsRequest(KafkaServerResource kafka) : IHealthCheck
    {
        static readonly byte[] Request = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff];
        static readonly TimeSpan Deadline = TimeSpan.FromSeconds(3);

        public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(Deadline);
            try
            {
                using var client = new TcpClient();
                await client.ConnectAsync(kafka.PrimaryEndpoint.Host, kafka.PrimaryEndpoint.Port, limit.Token);
                await client.GetStream().WriteAsync(Request, limit.Token);
                var answer = new byte[10];
                await client.GetStream().ReadExactlyAsync(answer, limit.Token);
                return answer is [_, _, _, _, 0, 0, 0, 7, 0, 0] ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("The broker refuses an ApiVersions request.");
            }
            catch (Exception e) when (e is SocketException or IOException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
            {
                return HealthCheckResult.Unhealthy(e.Message);
            }
        }
    }
}
