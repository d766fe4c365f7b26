using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Diagnostics;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Storage;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Commerce.Core.Catalog;

/// <summary>Registers the catalogue: the one place that knows that it is on EF Core.</summary>
static class CatalogExtensions
{
    /// <summary>The oldest server whose SQL may be used. Not asked of the server: a process starts while MySQL is away.</summary>
    const string ServerVersion = "8.0.30-mysql";

    /// <summary>Adds the definitions of products, coupons and events.</summary>
    /// <param name="builder">The host.</param>
    /// <param name="commandTimeout">How long a statement, or a commit, may take.</param>
    public static void AddCatalog(this IHostApplicationBuilder builder, TimeSpan commandTimeout)
    {
        builder.AddMySqlDbContext<CatalogDbContext>("commerce", settings =>
        {
            settings.ServerVersion = ServerVersion;
            // Traces, metrics, health checks and repeating after a deadlock are there already, for the ledger.
            settings.DisableTracing = settings.DisableMetrics = settings.DisableHealthChecks = settings.DisableRetry = true;
            // A pool of its own, and a small one: lists that many look at leave the sale its connections.
            settings.ConnectionString = settings.ConnectionString?.WithCommandTimeout(commandTimeout) is { } given ? $"Maximum Pool Size=20;{given}" : null;
        }, options =>
        {
            options.UseQueryTrackingBehavior(QueryTrackingBehavior.NoTracking).AddInterceptors(new SqlSpanInterceptor());
            // Without it Pomelo hides faults of the server behind the advice to have it repeat them.
            new MySqlDbContextOptionsBuilder(options).ExecutionStrategy(d => new NonRetryingExecutionStrategy(d));
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
