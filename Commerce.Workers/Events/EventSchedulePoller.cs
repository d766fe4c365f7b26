using Commerce.Core.Background;
using Commerce.Core.Events;

namespace Commerce.Workers.Events;

/// <summary>
/// Asks the schedule what is due, four times a second and whenever the next moment comes. This is what opens events in time: notifications of
/// expired keys come late where many keys have a time to live, and not at all after a reconnect.
/// </summary>
sealed class EventSchedulePoller(EventOpener opener, TimeProvider clock, ILogger<EventSchedulePoller> logger) : PeriodicWorker(clock, logger)
{
    static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(250);

    TimeSpan _next = PollInterval;

    protected override TimeSpan Interval => PollInterval;

    protected override async Task RunOnceAsync(CancellationToken stoppingToken) => _next = await opener.RunDueAsync(PollInterval, stoppingToken);

    // From now on, not from the start of the run: the opener says how long it is from here to the next moment.
    protected override Task WaitAsync(TimeSpan wait, CancellationToken stoppingToken) => base.WaitAsync(_next, stoppingToken);
}
