using Commerce.Core.Events;
using Commerce.ServiceDefaults;

namespace Commerce.Workers.Events;

/// <summary>
/// Asks the schedule what is due, four times a second and whenever the next moment comes. This is what opens events in time: notifications of
/// expired keys come late where many keys have a time to live, and not at all after a reconnect.
/// </summary>
sealed partial class EventDuePoll(EventOpener opener, TimeProvider clock, ILogger<EventDuePoll> logger) : BackgroundService
{
    static readonly TimeSpan Every = TimeSpan.FromMilliseconds(250);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var wait = Every;
            try
            {
                wait = await opener.RunDueAsync(Every, stoppingToken);
            }
            catch (Exception e) when (DependencyFaults.Is(e))
            {
                LogWaiting(logger, e.Message);
            }

            await Task.Delay(wait, clock, stoppingToken);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Polling for due events waits: {Reason}")]
    static partial void LogWaiting(ILogger logger, string reason);
}
