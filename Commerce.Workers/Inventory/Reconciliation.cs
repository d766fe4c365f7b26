using Commerce.Core.Inventory;
using Commerce.Core.Orders;
using Commerce.ServiceDefaults;

namespace Commerce.Workers.Inventory;

/// <summary>Looks now and then whether ledger, gate and messages of orders agree, and mends what does not. Payments have a rhythm of their own.</summary>
sealed partial class Reconciliation(InventoryReconciler inventory, OrderReconciler orders, TimeProvider clock, ILogger<Reconciliation> logger) : BackgroundService
{
    static readonly TimeSpan Every = TimeSpan.FromSeconds(10);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, clock);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await orders.RunAsync(stoppingToken);
                await inventory.RunAsync(stoppingToken);
            }
            catch (Exception e) when (DependencyFaults.Is(e))
            {
                LogWaiting(logger, e.Message);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Reconciling waits: {Reason}")]
    static partial void LogWaiting(ILogger logger, string reason);
}
