using Commerce.Core.Background;
using Commerce.Core.Messaging;
using Commerce.Core.Outbox;
using Microsoft.Extensions.Options;

namespace Commerce.Workers.Outbox;

/// <summary>Measures the outbox and purges old messages and dead letters.</summary>
sealed partial class OutboxMaintenanceService : PeriodicWorker
{
    static readonly TimeSpan PurgeInterval = TimeSpan.FromHours(1);

    readonly OutboxStore _outbox;
    readonly DeadLetterStore _deadLetters;
    readonly IOptions<OutboxOptions> _options;
    OutboxBacklog _backlog = new(0, 0, 0);
    long? _purgedAt;

    public OutboxMaintenanceService(
        OutboxStore outbox, DeadLetterStore deadLetters, IOptions<OutboxOptions> options, TimeProvider clock, ILogger<OutboxMaintenanceService> logger) : base(clock, logger)
    {
        (_outbox, _deadLetters, _options) = (outbox, deadLetters, options);
        CommerceTelemetry.Meter.CreateObservableGauge("commerce.outbox.pending", () => _backlog.Pending);
        CommerceTelemetry.Meter.CreateObservableGauge("commerce.outbox.oldest", () => _backlog.OldestAge, "s");
        CommerceTelemetry.Meter.CreateObservableGauge("commerce.outbox.dead", () => _backlog.Dead);
    }

    protected override TimeSpan Interval => TimeSpan.FromSeconds(10);

    protected override Task RunOnceAsync(CancellationToken stoppingToken) => RunAllAsync(
        async () => _backlog = await _outbox.MeasureAsync(stoppingToken),
        () => PurgeAsync(stoppingToken));

    async Task PurgeAsync(CancellationToken stoppingToken)
    {
        if (_purgedAt is { } at && Clock.GetElapsedTime(at) < PurgeInterval) return;
        if (await _outbox.PurgeAsync(_options.Value.KeepSent, stoppingToken) is > 0 and var rows) LogPurged(Logger, rows);
        if (await _deadLetters.PurgeAsync(_options.Value.KeepDeadLetters, stoppingToken) is > 0 and var letters) LogLettersPurged(Logger, letters);
        _purgedAt = Clock.GetTimestamp();
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Deleted {Rows} old rows of outbox and inbox")]
    static partial void LogPurged(ILogger logger, int rows);

    [LoggerMessage(Level = LogLevel.Information, Message = "Deleted {Letters} old dead letters")]
    static partial void LogLettersPurged(ILogger logger, int letters);
}
