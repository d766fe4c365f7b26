using Commerce.Core.Inventory;
using Commerce.ServiceDefaults;

namespace Commerce.Workers.Inventory;

/// <summary>Has the gate of the inventory opened, and rebuilt from the ledger when Redis lost it. Several keepers may run.</summary>
sealed partial class InventoryKeeper(InventoryLedger ledger, InventoryGate gate, InventoryGateOpener opener, TimeProvider clock, ILogger<InventoryKeeper> logger)
    : BackgroundService
{
    static readonly TimeSpan Every = TimeSpan.FromMilliseconds(250);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, clock);
        do
        {
            try
            {
                await KeepAsync(stoppingToken);
            }
            catch (Exception e) when (DependencyFaults.Is(e))
            {
                LogWaiting(logger, e.Message);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    async Task KeepAsync(CancellationToken cancellationToken)
    {
        // A server that has not said who it is yet may be the right one.
        if (!gate.KnowsServer) return;
        var epoch = await ledger.FindEpochAsync(cancellationToken);
        if (await gate.InspectAsync() is { Current: true } open && open.Epoch == epoch) return;
        await opener.TryOpenAsync(epoch, cancellationToken);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Keeping the inventory waits: {Reason}")]
    static partial void LogWaiting(ILogger logger, string reason);
}
