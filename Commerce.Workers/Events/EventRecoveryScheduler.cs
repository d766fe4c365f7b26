using Commerce.Core.Events;
using Commerce.ServiceDefaults;
using Microsoft.Extensions.Options;

namespace Commerce.Workers.Events;

/// <summary>Opens and closes, by the ledger alone, what the others missed, and restores the schedule in Redis; at the start and every minute.</summary>
sealed partial class EventRecoveryScheduler(
    EventOpener opener, IOptions<EventsOptions> options, TimeProvider clock, ILogger<EventRecoveryScheduler> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Value.RecoverEvery, clock);
        do
        {
            try
            {
                await opener.RecoverAsync(stoppingToken);
            }
            catch (Exception e) when (DependencyFaults.Is(e))
            {
                LogWaiting(logger, e.Message);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Recovering events waits: {Reason}")]
    static partial void LogWaiting(ILogger logger, string reason);
}
