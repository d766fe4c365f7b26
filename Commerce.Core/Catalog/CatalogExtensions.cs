using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using MySqlConnector;

namespace Commerce.Core.Catalog;

/// <summary>Registers the catalogue: the one place that knows that it is on EF Core.</summary>
static class CatalogExtensions
{
    /// <summary>The oldest server whose SQL may be used. Not asked of the server: a process starts while MySQL is away.</summary>
    const string ServerVersion = "8.0.30-mysql";

    const int MaxConnections = 20;

    /// <summary>Adds the definitions of products, coupons and events.</summary>
    /// <param name="builder">The host.</param>
    /// <param name="commandTimeout">How long a statement, or a commit, may take.</param>
    public static void AddCatalog(this IHostApplicationBuilder builder, TimeSpan commandTimeout)
    {
        string? connectionString = null;
        builder.AddMySqlDbContext<CatalogDbContext>("commerce", settings =>
        {
            settings.ServerVersion = ServerVersion;
            // Traces, metrics, health checks and repeating after a deadlock are there already, for the database.
            settings.DisableTracing = settings.DisableMetrics = settings.DisableHealthChecks = settings.DisableRetry = true;
            connectionString = settings.ConnectionString;
        }, options =>
        {
            options.UseQueryTrackingBehavior(QueryTrackingBehavior.NoTracking).AddInterceptors(new SqlSpanInterceptor());
            // Where there is a data source among the services, Pomelo takes it in place of the connection string. The database's is not for EF Core: it
            // refuses parameters that have no value, and lists that many look at are to leave the sale its connections.
            var pool = new MySqlDataSource($"Maximum Pool Size={MaxConnections};{connectionString!.WithMySqlDefaults(commandTimeout)};Allow User Variables=True;Use Affected Rows=False");
            options.UseMySql(pool, Microsoft.EntityFrameworkCore.ServerVersion.Parse(ServerVersion),
                // Without it Pomelo hides faults of the server behind the advice to have it repeat them.
                mySql => mySql.ExecutionStrategy(d => new NonRetryingExecutionStrategy(d)));
            // What fails is logged once, where it becomes an answer; statements are in the traces.
            options.ConfigureWarnings(events => events.Log(
                (RelationalEventId.CommandExecuted, LogLevel.Debug), (RelationalEventId.CommandError, LogLevel.Debug),
                (RelationalEventId.ConnectionError, LogLevel.Debug), (RelationalEventId.TransactionError, LogLevel.Debug),
                (CoreEventId.QueryIterationFailed, LogLevel.Debug), (CoreEventId.SaveChangesFailed, LogLevel.Debug)));
        });
        builder.Services.AddSingleton<CatalogSession>();
        builder.Services.AddSingleton<ProductDefinitions>();
        builder.Services.AddSingleton<CouponDefinitions>();
        builder.Services.AddSingleton<EventDefinitions>();
    }
}
