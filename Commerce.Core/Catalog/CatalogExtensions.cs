using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;

namespace Commerce.Core.Catalog;

/// <summary>Registers the catalogue. The only code outside of it that knows EF Core.</summary>
static class CatalogExtensions
{
    /// <summary>The oldest server whose SQL may be used. Not read from the server, because a process must start while MySQL is away.</summary>
    const string ServerVersion = "8.0.30-mysql";

    const int MaxConnections = 20;

    /// <summary>Adds the definitions of products, coupons and events.</summary>
    /// <param name="builder">The host.</param>
    /// <param name="commandTimeout">The timeout of a statement or commit.</param>
    public static void AddCatalog(this IHostApplicationBuilder builder, TimeSpan commandTimeout)
    {
        string? connectionString = null;
        builder.AddMySqlDbContext<CatalogDbContext>("commerce", settings =>
        {
            settings.ServerVersion = ServerVersion;
            // Traces, metrics, health checks and the retry after deadlocks already exist for the database.
            settings.DisableTracing = settings.DisableMetrics = settings.DisableHealthChecks = settings.DisableRetry = true;
            connectionString = settings.ConnectionString;
        }, options =>
        {
            options.UseQueryTrackingBehavior(QueryTrackingBehavior.NoTracking).AddInterceptors(new SqlSpanInterceptor(), new ChangeInterceptor());
            // Pomelo would use a registered data source instead of the connection string. The one of the sale does not fit: it rejects parameters
            // without a value, and list readers must leave the sale its connections.
            var pool = MySqlConnectionExtensions.CreateResettingPool(connectionString!, commandTimeout, MaxConnections);
            options.UseMySql(pool, Microsoft.EntityFrameworkCore.ServerVersion.Parse(ServerVersion),
                // Otherwise Pomelo replaces server errors by advice to enable retries.
                mySql => mySql.ExecutionStrategy(d => new NonRetryingExecutionStrategy(d)));
            // Failures are logged once, where they become a response. Statements are in the traces.
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
