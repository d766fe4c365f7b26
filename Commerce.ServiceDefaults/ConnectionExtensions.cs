using System.Data.Common;
using System.Globalization;
using Commerce.ServiceDefaults;
using Confluent.Kafka;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using MySqlConnector;
using StackExchange.Redis;

namespace Microsoft.Extensions.Hosting;

/// <summary>The connections to MySQL, Redis and Kafka: one set-up for every service.</summary>
public static class ConnectionExtensions
{
    /// <summary>In ms. A message that is not acknowledged by then has failed.</summary>
    public const int ProduceTimeoutMs = 2000;

    /// <summary>The setting that names a file with the certificate authority of Redis, where the machine does not trust it already.</summary>
    const string RedisAuthority = "Redis:CertificateAuthority";

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
            // How soon it is seen that a replica was promoted by hand: by default after a minute.
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
        builder.Services.AddSingleton<ConsumerFactory>();
        builder.Services.AddSingleton<KafkaAdmin>();
        builder.Services.AddDependencyCheck("redis", static (services, _) => services.GetRequiredService<IConnectionMultiplexer>().GetDatabase().PingAsync());
        // The names of the topics, through the connection that is there: it needs no topic and leaves no message.
        builder.Services.AddDependencyCheck("kafka", static (services, token) => services.GetRequiredService<KafkaAdmin>().DescribeTopicsAsync(HealthTimeout, token));
        return builder;
    }

    /// <summary>Adds only the <c>DbDataSource</c>.</summary>
    /// <param name="builder">The host.</param>
    /// <param name="commandTimeout">In place of the client library's own; whole seconds, at least one.</param>
    public static TBuilder AddCommerceDatabase<TBuilder>(this TBuilder builder, TimeSpan? commandTimeout = null) where TBuilder : IHostApplicationBuilder
    {
        string? connectionString = null;
        builder.AddMySqlDataSource("commerce", settings =>
        {
            settings.DisableTracing = settings.DisableMetrics = settings.DisableHealthChecks = true;
            if (commandTimeout is { } limit) settings.ConnectionString = settings.ConnectionString?.WithMySqlDefaults(limit);
            connectionString = settings.ConnectionString;
        });
        // In place of the integration's, which cannot be told what to do with a new connection.
        builder.Services.Replace(ServiceDescriptor.Singleton(services => new MySqlDataSourceBuilder(connectionString
                ?? throw new InvalidOperationException("There is no connection string: ConnectionStrings:commerce is not set."))
            .UseLoggerFactory(services.GetService<ILoggerFactory>()).UseConnectionOpenedCallback(PrepareAsync).Build()));
        builder.Services.AddDependencyCheck("mysql", static async (services, cancellationToken) =>
        {
            await using var connection = await services.GetRequiredService<DbDataSource>().OpenConnectionAsync(cancellationToken);
            await using var command = connection.CreateCommand();
            command.CommandText = "SELECT 1";
            await command.ExecuteScalarAsync(cancellationToken);
        });
        return builder;
    }

    /// <summary>Makes all transactions READ COMMITTED. Set once per connection, because the pool does not reset it.</summary>
    static async ValueTask PrepareAsync(MySqlConnectionOpenedContext context, CancellationToken cancellationToken)
    {
        if ((context.Conditions & (MySqlConnectionOpenedConditions.New | MySqlConnectionOpenedConditions.Reset)) == 0) return;
        await using var command = context.Connection.CreateCommand();
        command.CommandText = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>
    /// Adds our defaults to a MySQL connection string. TLS is used for remote servers only.
    /// <list type="bullet">
    /// <item>Every command has a timeout, also BEGIN, COMMIT and ROLLBACK. Otherwise a MySQL that freezes in a commit is waited for without end.</item>
    /// <item>Connecting takes no longer than a statement. A timed-out statement is given up after one more second. The defaults are 15 s.</item>
    /// <item>Pooled connections are not reset: a reset is a round trip, and no session state is changed.</item>
    /// <item>Pooled connections are not pinged: the client library's ping has no timeout.</item>
    /// <item>An idle connection is closed after 6 to 9 s, before MySQL closes it after its <c>wait_timeout</c> (15 s).</item>
    /// </list>
    /// </summary>
    /// <param name="connectionString">Its own settings win.</param>
    /// <param name="commandTimeout">Whole seconds, at least one.</param>
    public static string WithMySqlDefaults(this string connectionString, TimeSpan commandTimeout)
    {
        var isLocal = new MySqlConnectionStringBuilder(connectionString).Server is "localhost" or "127.0.0.1" or "::1";
        return string.Create(CultureInfo.InvariantCulture,
            $"Default Command Timeout={(int)commandTimeout.TotalSeconds};Connection Timeout={(int)commandTimeout.TotalSeconds};Cancellation Timeout=1;"
            + $"Connection Reset=false;Connection Idle Ping Time=3600;Connection Idle Timeout=6;{(isLocal ? "SslMode=None;AllowPublicKeyRetrieval=true;" : "")}{connectionString}");
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
