using Commerce.Core.Background;
using Commerce.Core.Events;
using Microsoft.Extensions.Options;

namespace Commerce.Workers.Events;

/// <summary>
/// Opens and closes missed events by the database alone, and restores the schedule in Redis. It runs at startup and every minute.
/// </summary>
sealed class EventRecoveryScheduler(
    EventOpener opener, IOptions<EventsOptions> options, TimeProvider clock, ILogger<EventRecoveryScheduler> logger) : PeriodicWorker(clock, logger)
{
    protected override TimeSpan Interval => options.Value.RecoveryInterval;

    protected override Task RunOnceAsync(CancellationToken stoppingToken) => opener.RecoverAsync(stoppingToken);
}
