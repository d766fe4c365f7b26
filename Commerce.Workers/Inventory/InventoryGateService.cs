using Commerce.Core.Background;
using Commerce.Core.Inventory;

namespace Commerce.Workers.Inventory;

/// <summary>Has the gate of the inventory opened, and rebuilt from the database when Redis lost it. Several keepers may run.</summary>
sealed class InventoryGateService(InventoryRepository repository, InventoryGate gate, InventoryGateRebuilder rebuilder, TimeProvider clock, ILogger<InventoryGateService> logger)
    : PeriodicWorker(clock, logger)
{
    protected override TimeSpan Interval => TimeSpan.FromMilliseconds(250);

    protected override async Task RunOnceAsync(CancellationToken stoppingToken)
    {
        // A server that has not said who it is yet may be the right one.
        if (!gate.KnowsServer) return;
        var epoch = await repository.FindEpochAsync(stoppingToken);
        if (await gate.InspectAsync() is { Current: true } open && open.Epoch == epoch) return;
        await rebuilder.TryOpenAsync(epoch, stoppingToken);
    }
}
