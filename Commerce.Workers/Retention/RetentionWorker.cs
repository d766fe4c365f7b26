using Commerce.Core.Background;
using Commerce.Core.Retention;
using Microsoft.Extensions.Options;

namespace Commerce.Workers.Retention;

static class RetentionExtensions
{
    public static void AddRetention(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<RetentionOptions>().BindConfiguration(RetentionOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddHostedService<RetentionWorker>();
    }
}

/// <summary>Deletes obsolete rows once an hour.</summary>
sealed partial class RetentionWorker(RetentionStore store, IOptions<RetentionOptions> options, TimeProvider clock, ILogger<RetentionWorker> logger)
    : PeriodicWorker(clock, logger)
{
    protected override TimeSpan Interval => TimeSpan.FromHours(1);

    protected override Task RunOnceAsync(CancellationToken stoppingToken) => RunAllAsync(
        () => DeleteAsync("shipping addresses of closed orders", store.DeleteShippingAsync(options.Value.Shipping, stoppingToken)),
        () => DeleteAsync("settled payment attempts", store.DeletePaymentAttemptsAsync(options.Value.PaymentAttempts, stoppingToken)),
        () => DeleteAsync("rebuild barriers of ended coupons", store.DeleteRebuildBarriersAsync(options.Value.RebuildBarriers, stoppingToken)),
        () => DeleteAsync("repaired inventory drift", store.DeleteInventoryDriftAsync(options.Value.InventoryDrift, stoppingToken)),
        () => DeleteAsync("administrators' actions", store.DeleteAdminActionsAsync(options.Value.AdminActions, stoppingToken)),
        () => DeleteAsync("admissions of waiting rooms", store.DeleteAdmissionsAsync(options.Value.Admissions, stoppingToken)),
        () => DeleteAsync("queues of customers without unpaid orders", store.DeleteOrderQueuesAsync(stoppingToken)));

    async Task DeleteAsync(string what, Task<int> deleting)
    {
        if (await deleting is > 0 and var rows) LogDeleted(Logger, rows, what);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Deleted {Rows} old rows: {What}")]
    static partial void LogDeleted(ILogger logger, int rows, string what);
}
