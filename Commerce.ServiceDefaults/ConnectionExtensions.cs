using Commerce.ServiceDefaults;
using Confluent.Kafka;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;

namespace Microsoft.Extensions.Hosting;

/// <summary>
/// The connections to Redis and Kafka, set up in the same way for every service. <see cref="MySqlConnectionExtensions"/> has the
/// connection to MySQL.
/// </summary>
public static class ConnectionExtensions
{
    /// <summary>The time in ms after which a message without an acknowledgement has failed.</summary>
    public const int ProduceTimeoutMs = 2000;

    /// <summary>
    /// The setting with the file of Redis' certificate authority. It is needed if the machine does not trust the authority already.
    /// </summary>
    const string RedisAuthority = "Redis:CertificateAuthority";

    static readonly TimeSpan HealthTimeout = TimeSpan.FromMilliseconds(1500);

    /// <summary>
    /// Adds <c>DbDataSource</c> (connection string <c>commerce</c>), <c>IConnectionMultiplexer</c> (<c>redis</c>) and a
    /// <see cref="KafkaProducer"/> (<c>kafka</c>). The service defaults have their own traces, metrics and health checks, so those of the
    /// components are disabled.
    /// </summary>
    /// <param name="builder">The host.</param>
    /// <param name="commandTimeout">The timeout of a MySQL command, including the begin and the end of a transaction.</param>
    public static TBuilder AddCommerceConnections<TBuilder>(this TBuilder builder, TimeSpan commandTimeout) where TBuilder : IHostApplicationBuilder
    {
        builder.AddCommerceDatabase(commandTimeout);
        builder.AddRedisClient("redis", settings => settings.DisableTracing = settings.DisableHealthChecks = true, options =>
        {
            options.AbortOnConnectFail = false;
            options.ConnectTimeout = 2000;
            // The interval at which a manually promoted replica is noticed. The default is a minute.
            options.ConfigCheckSeconds = 2;
            // Required for INFO, which identifies the incarnation of a server.
            options.AllowAdmin = true;
            if (builder.Configuration[RedisAuthority] is { Length: > 0 } authority) options.TrustIssuer(authority);
        });
        builder.AddKafkaProducer<string?, byte[]?>("kafka", settings =>
        {
            // Aspire's check sends a message to its own topic at every probe.
            settings.DisableMetrics = settings.DisableHealthChecks = true;
            settings.Config.ForCommerce(builder.Configuration);
            // The producer is not idempotent. A message may arrive twice, because consumers are idempotent, and the order does not matter.
            // An idempotent producer would end after a fatal error.
            settings.Config.Acks = Acks.All;
            settings.Config.LingerMs = 1;
            settings.Config.MessageTimeoutMs = ProduceTimeoutMs;
            settings.Config.RequestTimeoutMs = 2000;
            // Callers need only the confirmation. Reading back the sent message would cost more than sending it.
            settings.Config.DeliveryReportFields = "none";
        });
        // The integration registers one producer for the lifetime of the process. Its factory is used here to create each replacement.
        var integration = builder.Services.Last(service => service.ServiceType == typeof(IProducer<string?, byte[]?>));
        builder.Services.Remove(integration);
        builder.Services.AddSingleton(services => new KafkaProducer(() => (IProducer<string?, byte[]?>)integration.ImplementationFactory!(services)));
        builder.Services.AddSingleton<ConsumerFactory>();
        builder.Services.AddSingleton<KafkaAdmin>();
        builder.Services.AddDependencyCheck("redis", static (services, _) => services.GetRequiredService<IConnectionMultiplexer>().GetDatabase().PingAsync());
        // The probe asks for the topic names on the existing connection. It needs no topic and leaves no message.
        builder.Services.AddDependencyCheck("kafka", static (services, token) => services.GetRequiredService<KafkaAdmin>().DescribeTopicsAsync(HealthTimeout, token));
        return builder;
    }

    /// <summary>
    /// Makes a dependency part of readiness, for a service in which hardly any route works without it. Other dependencies, such as Kafka,
    /// only appear at <c>/health/dependencies</c>, because the service works without them.
    /// </summary>
    public static TBuilder RequireForReadiness<TBuilder>(this TBuilder builder, string dependency) where TBuilder : IHostApplicationBuilder
    {
        builder.Services.PostConfigure<HealthCheckServiceOptions>(health =>
        {
            var check = health.Registrations.Single(r => r.Name == dependency && r.Tags.Contains(HealthTags.Dependency));
            health.Registrations.Add(new HealthCheckRegistration($"{dependency} (required)", check.Factory, HealthStatus.Unhealthy, [HealthTags.Ready]));
        });
        return builder;
    }
}
