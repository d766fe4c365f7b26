using Commerce.ServiceDefaults;
using Confluent.Kafka;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;

namespace Microsoft.Extensions.Hosting;

/// <summary>The connections to Redis and Kafka, and with <see cref="MySqlConnectionExtensions"/> to MySQL: one set-up for every service.</summary>
public static class ConnectionExtensions
{
    /// <summary>In ms. A message that is not acknowledged by then has failed.</summary>
    public const int ProduceTimeoutMs = 2000;

    /// <summary>The setting that names a file with the certificate authority of Redis, if the machine does not trust it already.</summary>
    const string RedisAuthority = "Redis:CertificateAuthority";

    static readonly TimeSpan HealthTimeout = TimeSpan.FromMilliseconds(1500);

    /// <summary>
    /// Adds <c>DbDataSource</c> (connection string <c>commerce</c>), <c>IConnectionMultiplexer</c> (<c>redis</c>) and a
    /// <see cref="KafkaProducer"/> (<c>kafka</c>). Traces, metrics and health checks are the service defaults' own, so the components' are off: Aspire's check of
    /// the producer, for one, writes a message to a topic at every probe.
    /// </summary>
    /// <param name="builder">The host.</param>
    /// <param name="commandTimeout">How long MySQL may take for a command, the begin and the end of a transaction included.</param>
    public static TBuilder AddCommerceConnections<TBuilder>(this TBuilder builder, TimeSpan commandTimeout) where TBuilder : IHostApplicationBuilder
    {
        builder.AddCommerceDatabase(commandTimeout);
        builder.AddRedisClient("redis", settings => settings.DisableTracing = settings.DisableHealthChecks = true, options =>
        {
            options.AbortOnConnectFail = false;
            options.ConnectTimeout = 2000;
            // How soon a replica that was promoted by hand is noticed; the default is a minute.
            options.ConfigCheckSeconds = 2;
            // INFO, which tells one incarnation of a server from the next.
            options.AllowAdmin = true;
            if (builder.Configuration[RedisAuthority] is { Length: > 0 } authority) options.TrustIssuer(authority);
        });
        builder.AddKafkaProducer<string?, byte[]?>("kafka", settings =>
        {
            // Aspire's check sends a message to a topic of its own at every probe.
            settings.DisableMetrics = settings.DisableHealthChecks = true;
            settings.Config.ForCommerce(builder.Configuration);
            // Every message may come twice (consumers are idempotent) and their order does not matter, so there is no idempotent producer
            // whose fatal errors end it.
            settings.Config.Acks = Acks.All;
            settings.Config.LingerMs = 1;
            settings.Config.MessageTimeoutMs = ProduceTimeoutMs;
            settings.Config.RequestTimeoutMs = 2000;
            // That a message arrived is all that anybody asks; reading back what was sent costs more than sending it.
            settings.Config.DeliveryReportFields = "none";
        });
        // The integration registers one producer for the lifetime of the process. Here its factory makes each that takes the place of another.
        var integration = builder.Services.Last(service => service.ServiceType == typeof(IProducer<string?, byte[]?>));
        builder.Services.Remove(integration);
        builder.Services.AddSingleton(services => new KafkaProducer(() => (IProducer<string?, byte[]?>)integration.ImplementationFactory!(services)));
        builder.Services.AddSingleton<ConsumerFactory>();
        builder.Services.AddSingleton<KafkaAdmin>();
        builder.Services.AddDependencyCheck("redis", static (services, _) => services.GetRequiredService<IConnectionMultiplexer>().GetDatabase().PingAsync());
        // The names of the topics, through the connection that is there: it needs no topic and leaves no message.
        builder.Services.AddDependencyCheck("kafka", static (services, token) => services.GetRequiredService<KafkaAdmin>().DescribeTopicsAsync(HealthTimeout, token));
        return builder;
    }

    /// <summary>
    /// Counts a dependency towards readiness: for a service of which hardly any route works without it. What the others need, such as Kafka, may be
    /// away while the work goes on, and is told at <c>/health/dependencies</c> only.
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
