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

    /// <summary>In ms. By default a client stays away for up to 10 s after the brokers are back.</summary>
    const int MaxReconnectDelayMs = 1000;

    /// <summary>In ms. By default a client learns of new partitions up to 5 min after they were added, and their messages wait for so long.</summary>
    const int MetadataMaxAgeMs = 2000;

    /// <summary>In ms. By default the partitions of a process that died wait for 45 s before another takes them over.</summary>
    const int SessionTimeoutMs = 10_000;

    static readonly TimeSpan HealthTimeout = TimeSpan.FromMilliseconds(1500);

    /// <summary>
    /// Adds <c>DbDataSource</c> (connection string <c>commerce</c>), <c>IConnectionMultiplexer</c> (<c>redis</c>) and an
    /// <c>IProducer</c> (<c>kafka</c>). Traces, metrics and health checks are the service defaults' own, so the components' are off: Aspire's check of
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
            // INFO, which tells one incarnation of a server from the next.
            options.AllowAdmin = true;
        });
        builder.AddKafkaProducer<string?, byte[]?>("kafka", settings =>
        {
            // Aspire's check sends a message to a topic of its own at every probe.
            settings.DisableMetrics = settings.DisableHealthChecks = true;
            // Every message may come twice (consumers are idempotent) and their order does not matter, so there is no idempotent producer
            // whose fatal errors end it.
            settings.Config.Acks = Acks.All;
            settings.Config.LingerMs = 1;
            settings.Config.MessageTimeoutMs = ProduceTimeoutMs;
            settings.Config.RequestTimeoutMs = 2000;
            settings.Config.ReconnectBackoffMaxMs = MaxReconnectDelayMs;
            settings.Config.SocketNagleDisable = true;
            // That a message arrived is all that anybody asks; reading back what was sent costs more than sending it.
            settings.Config.DeliveryReportFields = "none";
            settings.Config.TopicMetadataRefreshIntervalMs = MetadataMaxAgeMs;
        });
        builder.Services.AddDependencyCheck("redis", static (services, _) => services.GetRequiredService<IConnectionMultiplexer>().GetDatabase().PingAsync());
        // The names of the topics, through the connection that is there: it needs no topic and leaves no message.
        builder.Services.AddDependencyCheck("kafka", static (services, _) =>
        {
            using var admin = new DependentAdminClientBuilder(services.GetRequiredService<IProducer<string?, byte[]?>>().Handle).Build();
            admin.GetMetadata(HealthTimeout);
            return Task.CompletedTask;
        });
        return builder;
    }

    /// <summary>
    /// Adds a consumer under the key <paramref name="name"/>: at least once, from the first message on, in the group of that name.
    /// </summary>
    public static TBuilder AddCommerceConsumer<TBuilder>(this TBuilder builder, string name) where TBuilder : IHostApplicationBuilder
    {
        builder.AddKeyedKafkaConsumer<string?, byte[]?>(name, settings =>
        {
            settings.DisableMetrics = true;
            settings.DisableHealthChecks = true;
            settings.ConnectionString = builder.Configuration["ConnectionStrings:kafka"];
            settings.Config.GroupId = name;
            settings.Config.AutoOffsetReset = AutoOffsetReset.Earliest;
            settings.Config.EnableAutoOffsetStore = false;
            settings.Config.AutoCommitIntervalMs = 1000;
            settings.Config.SessionTimeoutMs = SessionTimeoutMs;
            settings.Config.ReconnectBackoffMaxMs = MaxReconnectDelayMs;
            settings.Config.TopicMetadataRefreshIntervalMs = MetadataMaxAgeMs;
        });
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
