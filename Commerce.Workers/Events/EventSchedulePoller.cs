using Commerce.Core.Background;
using Commerce.Core.Events;

namespace Commerce.Workers.Events;

/// <summary>
/// Runs due transitions four times a second, and exactly at the next due time, so that events open on time. Notifications of expired
/// keys are late when many keys expire, and are lost while a connection is down.
/// </summary>
sealed class EventSchedulePoller(EventOpener opener, TimeProvider clock, ILogger<EventSchedulePoller> logger) : PeriodicWorker(clock, logger)
{
    static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(250);

    TimeSpan _next = PollInterval;

    protected override TimeSpan Interval => PollInterval;

    protected override async Task RunOnceAsync(CancellationToken stoppingToken) => _next = await opener.RunDueAsync(PollInterval, stoppingToken);

    // The wait starts now and not at the start of the run, because RunDueAsync returns the time until the next transition.
    protected override Task WaitAsync(TimeSpan wait, CancellationToken stoppingToken) => base.WaitAsync(_next, stoppingToken);
}
