using Commerce.Core.Background;
using Commerce.Core.Inventory;

namespace Commerce.Workers.Inventory;

/// <summary>Opens the inventory gate, and rebuilds it from the database after a loss of Redis. Several instances can run.</summary>
sealed class InventoryGateService(InventoryRepository repository, InventoryGate gate, InventoryGateRebuilder rebuilder, TimeProvider clock, ILogger<InventoryGateService> logger)
    : PeriodicWorker(clock, logger)
{
    protected override TimeSpan Interval => TimeSpan.FromMilliseconds(250);

    protected override async Task RunOnceAsync(CancellationToken stoppingToken)
    {
        // A server whose run id is unknown may be the right one, so the gate is not touched.
        if (!gate.KnowsServer) return;
        var epoch = await repository.FindEpochAsync(stoppingToken);
        if (await gate.InspectAsync() is { Current: true } open && open.Epoch == epoch) return;
        await rebuilder.TryOpenAsync(epoch, stoppingToken);
    }
}
