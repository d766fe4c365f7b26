using Commerce.Core.Messaging;
using Commerce.Core.Outbox;
using Commerce.ServiceDefaults;
using Microsoft.Extensions.Options;

namespace Commerce.Workers.Outbox;

/// <summary>Measures the outbox for those who watch it, and deletes what was sent, or died, long ago.</summary>
sealed partial class OutboxKeeper : BackgroundService
{
    static readonly TimeSpan MeasureEvery = TimeSpan.FromSeconds(10);
    static readonly TimeSpan PurgeEvery = TimeSpan.FromHours(1);

    readonly OutboxStore _outbox;
    readonly DeadLetterStore _deadLetters;
    readonly IOptions<OutboxOptions> _options;
    readonly TimeProvider _clock;
    readonly ILogger<OutboxKeeper> _logger;
    OutboxBacklog _backlog = new(0, 0, 0);

    public OutboxKeeper(
        OutboxStore outbox, DeadLetterStore deadLetters, IOptions<OutboxOptions> options, TimeProvider clock, ILogger<OutboxKeeper> logger)
    {
        (_outbox, _deadLetters, _options, _clock, _logger) = (outbox, deadLetters, options, clock, logger);
        CommerceTelemetry.Meter.CreateObservableGauge("commerce.outbox.pending", () => _backlog.Pending);
        CommerceTelemetry.Meter.CreateObservableGauge("commerce.outbox.oldest", () => _backlog.OldestAge, "s");
        CommerceTelemetry.Meter.CreateObservableGauge("commerce.outbox.dead", () => _backlog.Dead);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(MeasureEvery, _clock);
        long? purged = null;
        do
        {
            try
            {
                _backlog = await _outbox.MeasureAsync(stoppingToken);
                if (purged is { } at && _clock.GetElapsedTime(at) < PurgeEvery) continue;
                purged = _clock.GetTimestamp();
                if (await _outbox.PurgeAsync(_options.Value.KeepSent, stoppingToken) is > 0 and var rows) LogPurged(_logger, rows);
                if (await _deadLetters.PurgeAsync(_options.Value.KeepDeadLetters, stoppingToken) is > 0 and var letters) LogLettersPurged(_logger, letters);
            }
            catch (Exception e) when (DependencyFaults.Is(e))
            {
                LogWaiting(_logger, e.Message);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Deleted {Rows} old rows of outbox and inbox")]
    static partial void LogPurged(ILogger logger, int rows);

    [LoggerMessage(Level = LogLevel.Information, Message = "Deleted {Letters} old dead letters")]
    static partial void LogLettersPurged(ILogger logger, int letters);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Measuring the outbox waits: {Reason}")]
    static partial void LogWaiting(ILogger logger, string reason);
}
