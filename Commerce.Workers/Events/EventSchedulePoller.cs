using Commerce.Core.Background;
using Commerce.Core.Events;

namespace Commerce.Workers.Events;

/// <summary>
/// Runs due transitions four times a second, and exactly at the next due time. It opens events on time. Notifications of expired keys are late when
/// many keys expire, and missing after a reconnect.
/// </summary>
sealed class EventSchedulePoller(EventOpener opener, TimeProvider clock, ILogger<EventSchedulePoller> logger) : PeriodicWorker(clock, logger)
{
    static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(250);

    TimeSpan _next = PollInterval;

    protected override TimeSpan Interval => PollInterval;

    protected override async Task RunOnceAsync(CancellationToken stoppingToken) => _next = await opener.RunDueAsync(PollInterval, stoppingToken);

    // From now on, not from the start of the run: RunDueAsync returns the time until the next transition.
    protected override Task WaitAsync(TimeSpan wait, CancellationToken stoppingToken) => base.WaitAsync(_next, stoppingToken);
}
