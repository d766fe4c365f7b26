using Commerce.Core.Background;
using Commerce.Core.Idempotency;

namespace Commerce.Workers.Idempotency;

/// <summary>Deletes expired idempotency keys.</summary>
sealed partial class IdempotencyPurger(IdempotencyStore store, TimeProvider clock, ILogger<IdempotencyPurger> logger) : PeriodicWorker(clock, logger)
{
    /// <summary>How long keys are kept. The contract promises 24 h.</summary>
    static readonly TimeSpan Retention = TimeSpan.FromHours(48);

    protected override TimeSpan Interval => TimeSpan.FromHours(1);

    protected override async Task RunOnceAsync(CancellationToken stoppingToken)
    {
        if (await store.PurgeAsync(Retention, stoppingToken) is > 0 and var rows) LogPurged(Logger, rows);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Deleted {Rows} old idempotency keys")]
    static partial void LogPurged(ILogger logger, int rows);
}
