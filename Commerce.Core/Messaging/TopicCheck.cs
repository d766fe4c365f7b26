using Commerce.Core.Background;
using Confluent.Kafka;

namespace Commerce.Core.Messaging;

/// <summary>
/// Checks that the topics have the required number of partitions. If the brokers are unavailable the process starts anyway, because
/// the sale works without them. It stops as soon as they report too few partitions.
/// </summary>
public sealed partial class TopicCheck(TopicPartitions partitions, IHostApplicationLifetime lifetime, TimeProvider clock, ILogger<TopicCheck> logger)
    : PeriodicWorker(clock, logger)
{
    bool _known;

    /// <inheritdoc/>
    protected override TimeSpan Interval => TimeSpan.FromSeconds(1);

    /// <summary>Runs the host, unless the check fails. Returns the exit code.</summary>
    public static async Task<int> RunAsync(IHost host)
    {
        if (await host.Services.GetRequiredService<TopicCheck>().FindShortageAsync() is { } shortage)
        {
            await Console.Error.WriteLineAsync($"Refused to start. {shortage}");
            return 1;
        }

        await host.RunAsync();
        return Environment.ExitCode;
    }

    /// <inheritdoc/>
    protected override async Task RunOnceAsync(CancellationToken stoppingToken)
    {
        if (_known) return;
        var shortage = await partitions.FindShortageAsync(stoppingToken);
        _known = true;
        if (shortage is null) return;
        LogRefused(Logger, shortage);
        Environment.ExitCode = 1;
        lifetime.StopApplication();
    }

    /// <inheritdoc/>
    protected override Task WaitAsync(TimeSpan wait, CancellationToken stoppingToken) => base.WaitAsync(Timeout.InfiniteTimeSpan, stoppingToken);

    async Task<string?> FindShortageAsync()
    {
        try
        {
            var shortage = await partitions.FindShortageAsync(CancellationToken.None);
            _known = true;
            return shortage;
        }
        catch (KafkaException e)
        {
            LogUnknown(Logger, e.Error.Reason);
            return null;
        }
    }

    [LoggerMessage(Level = LogLevel.Critical, Message = "{Shortage} This process ends")]
    static partial void LogRefused(ILogger logger, string shortage);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The number of partitions is not known yet: {Reason}")]
    static partial void LogUnknown(ILogger logger, string reason);
}
