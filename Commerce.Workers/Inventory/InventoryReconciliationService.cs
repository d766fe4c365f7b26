using Commerce.Core.Background;
using Commerce.Core.Inventory;
using Commerce.Core.Orders;

namespace Commerce.Workers.Inventory;

/// <summary>Runs the reconcilers of inventory and orders every 10 s. The reconciler of payments has another interval.</summary>
sealed class InventoryReconciliationService(InventoryReconciler inventory, OrderReconciler orders, TimeProvider clock, ILogger<InventoryReconciliationService> logger)
    : PeriodicWorker(clock, logger)
{
    protected override TimeSpan Interval => TimeSpan.FromSeconds(10);

    protected override Task RunOnceAsync(CancellationToken stoppingToken) => RunAllAsync(() => orders.RunAsync(stoppingToken), () => inventory.RunAsync(stoppingToken));
}
