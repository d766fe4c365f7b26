using System.Data.Common;
using System.Globalization;
using Commerce.ServiceDefaults;
using Microsoft.Extensions.DependencyInjection.Extensions;
using MySqlConnector;

namespace Microsoft.Extensions.Hosting;

/// <summary>
/// The connections to MySQL. Their settings depend on each other:
/// <list type="bullet">
/// <item>Every command has a timeout, including BEGIN, COMMIT and ROLLBACK. Otherwise a MySQL server that freezes in a commit would
/// block the caller forever.</item>
/// <item>Connecting takes no longer than a statement. A statement that has timed out is given up after one more second. The defaults
/// are 15 s.</item>
/// <item>Pooled connections are not reset. A reset is a round trip, and no session state changes. So the isolation level, which is set
/// for a new connection, stays.</item>
/// <item>Pooled connections are not pinged, because the client library's ping has no timeout. So a user of the pool must handle
/// connections that the server has closed, as <c>MySqlDatabase</c> does. Other users take <see cref="CreateResettingPool"/>.</item>
/// <item>An idle connection is closed after 6 to 9 s, before MySQL closes it after its <c>wait_timeout</c> (15 s).</item>
/// </list>
/// </summary>
public static class MySqlConnectionExtensions
{
    /// <summary>Adds only the <c>DbDataSource</c>.</summary>
    /// <param name="builder">The host.</param>
    /// <param name="commandTimeout">The timeout of a command instead of the client library's default: whole seconds, at least
    /// one.</param>
    public static TBuilder AddCommerceDatabase<TBuilder>(this TBuilder builder, TimeSpan? commandTimeout = null) where TBuilder : IHostApplicationBuilder
    {
        string? connectionString = null;
        builder.AddMySqlDataSource("commerce", settings =>
        {
            settings.DisableTracing = settings.DisableMetrics = settings.DisableHealthChecks = true;
            if (commandTimeout is { } limit && settings.ConnectionString is { } given) settings.ConnectionString = WithDefaults(given, limit);
            connectionString = settings.ConnectionString;
        });
        // It replaces the integration's data source, which has no hook for new connections.
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

    /// <summary>
    /// Makes all transactions READ COMMITTED. It runs once per connection, because the pool does not reset connections.
    /// </summary>
    static async ValueTask PrepareAsync(MySqlConnectionOpenedContext context, CancellationToken cancellationToken)
    {
        if ((context.Conditions & (MySqlConnectionOpenedConditions.New | MySqlConnectionOpenedConditions.Reset)) == 0) return;
        await using var command = context.Connection.CreateCommand();
        command.CommandText = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>
    /// Creates a separate pool for EF Core. EF Core cannot handle connections that the server has closed, so each is reset before use. It
    /// also needs user variables and the number of found rows.
    /// </summary>
    /// <param name="connectionString">Its own settings take precedence.</param>
    public static MySqlDataSource CreateResettingPool(string connectionString, TimeSpan commandTimeout, int maxConnections) =>
        new(string.Create(CultureInfo.InvariantCulture,
            $"Maximum Pool Size={maxConnections};{WithDefaults(connectionString, commandTimeout)};Allow User Variables=True;Use Affected Rows=False;Connection Reset=true"));

    /// <param name="connectionString">Its own settings take precedence. TLS is used for remote servers only.</param>
    /// <param name="commandTimeout">Whole seconds, at least one.</param>
    static string WithDefaults(string connectionString, TimeSpan commandTimeout)
    {
        var isLocal = new MySqlConnectionStringBuilder(connectionString).Server is "localhost" or "127.0.0.1" or "::1";
        return string.Create(CultureInfo.InvariantCulture,
            $"Default Command Timeout={(int)commandTimeout.TotalSeconds};Connection Timeout={(int)commandTimeout.TotalSeconds};Cancellation Timeout=1;"
            + $"Connection Reset=false;Connection Idle Ping Time=3600;Connection Idle Timeout=6;{(isLocal ? "SslMode=None;AllowPublicKeyRetrieval=true;" : "")}{connectionString}");
    }
}
