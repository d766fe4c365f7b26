using Commerce.Core.Idempotency;
using Commerce.ServiceDefaults;

namespace Commerce.Workers.Idempotency;

/// <summary>Forgets keys that nobody will come with again.</summary>
sealed partial class IdempotencyPurger(IdempotencyStore store, TimeProvider clock, ILogger<IdempotencyPurger> logger) : BackgroundService
{
    static readonly TimeSpan Every = TimeSpan.FromHours(1);

    /// <summary>24 h are promised.</summary>
    static readonly TimeSpan Kept = TimeSpan.FromHours(48);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, clock);
        do
        {
            try
            {
                if (await store.PurgeAsync(Kept, stoppingToken) is > 0 and var rows) LogPurged(logger, rows);
            }
            catch (Exception e) when (DependencyFaults.Is(e))
            {
                LogWaiting(logger, e.Message);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Forgot {Rows} old idempotency keys")]
    static partial void LogPurged(ILogger logger, int rows);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Forgetting idempotency keys waits: {Reason}")]
    static partial void LogWaiting(ILogger logger, string reason);
}
