using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Storage;

namespace Commerce.Core.Catalog;

/// <summary>Registers the catalogue. No code outside of this folder uses EF Core.</summary>
static class CatalogExtensions
{
    /// <summary>
    /// The oldest supported server. EF Core generates SQL for it. The version is not read from the server, because a process must start
    /// while MySQL is unavailable.
    /// </summary>
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
            // The database already has traces, metrics, health checks and retries after deadlocks.
            settings.DisableTracing = settings.DisableMetrics = settings.DisableHealthChecks = settings.DisableRetry = true;
            connectionString = settings.ConnectionString;
        }, options =>
        {
            options.UseQueryTrackingBehavior(QueryTrackingBehavior.NoTracking).AddInterceptors(new SqlSpanInterceptor(), new ChangeInterceptor());
            // Pomelo prefers a registered data source to the connection string. The data source of the sale does not fit: it rejects
            // parameters without a value, and list queries must not use up its connections.
            var pool = MySqlConnectionExtensions.CreateResettingPool(connectionString!, commandTimeout, MaxConnections);
            options.UseMySql(pool, Microsoft.EntityFrameworkCore.ServerVersion.Parse(ServerVersion),
                // The default strategy of Pomelo replaces server errors by the advice to enable retries.
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
