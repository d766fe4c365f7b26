using System.Diagnostics.Metrics;
using System.Numerics;
using System.Runtime.ExceptionServices;

namespace Commerce.Core.Background;

/// <summary>
/// Work that repeats for the lifetime of the process. An exception does not end it: the failure is logged and counted, and the next
/// run follows after a back-off. If the process ended instead, it would meet the same failure after the restart, and all other work
/// would stop.
/// </summary>
public abstract partial class PeriodicWorker(TimeProvider clock, ILogger logger) : BackgroundService
{
    static readonly Counter<long> Failures = CommerceTelemetry.Meter.CreateCounter<long>("commerce.workers.failures");

    /// <summary>
    /// The waits after failures. They are short, because most failures are outages, and the sale depends on these workers once an outage
    /// ends.
    /// </summary>
    static readonly RetryPolicy Backoff = new() { BaseDelay = TimeSpan.FromMilliseconds(200), MaxDelay = TimeSpan.FromSeconds(2) };

    int _failures;

    /// <summary>The clock for all waits.</summary>
    protected TimeProvider Clock => clock;

    /// <summary>The worker's logger.</summary>
    protected ILogger Logger => logger;

    /// <summary>The time from the start of one run to the start of the next. It is read after each run.</summary>
    protected abstract TimeSpan Interval { get; }

    /// <summary>One run.</summary>
    protected abstract Task RunOnceAsync(CancellationToken stoppingToken);

    /// <summary>Waits for the next run. A worker that can be woken overrides it and returns earlier.</summary>
    protected virtual Task WaitAsync(TimeSpan wait, CancellationToken stoppingToken) => Task.Delay(wait, clock, stoppingToken);

    /// <summary>Runs all steps, even if one fails, so that no step blocks another. Then throws the first failure.</summary>
    protected static async Task RunAllAsync(params Func<Task>[] steps)
    {
        List<Exception> failures = [];
        foreach (var step in steps)
        {
            try
            {
                await step();
            }
            catch (Exception e)
            {
                failures.Add(e);
            }
        }

        // A failure that is not transient says more about the cause.
        if (failures.Find(e => !TransientFaults.IsTransient(e)) is { } fault) throw new AggregateException(fault.Message, failures);
        if (failures.Count > 0) ExceptionDispatchInfo.Throw(failures[0]);
    }

    /// <inheritdoc/>
    protected sealed override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var start = clock.GetTimestamp();
            try
            {
                await RunOnceAsync(stoppingToken);
                if (_failures > 1) LogRecovered(logger, GetType().Name, _failures);
                _failures = 0;
                var wait = Interval - clock.GetElapsedTime(start);
                await WaitAsync(wait > TimeSpan.Zero ? wait : TimeSpan.Zero, stoppingToken);
            }
            catch (Exception) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                await BackOffAsync(e, stoppingToken);
            }
        }
    }

    async Task BackOffAsync(Exception fault, CancellationToken stoppingToken)
    {
        _failures++;
        var dependency = TransientFaults.IsTransient(fault) && fault is not AggregateException;
        Failures.Add(1, new("worker", GetType().Name), new KeyValuePair<string, object?>("cause", dependency ? "dependency" : "unexpected"));
        var delay = Backoff.Delay(_failures);
        // An outage can last for thousands of runs. Only failures 1, 2, 4, 8 … are logged.
        if (BitOperations.IsPow2(_failures))
        {
            if (dependency) LogWaiting(logger, GetType().Name, _failures, delay.TotalSeconds, fault.Message);
            else LogFailed(logger, GetType().Name, _failures, delay.TotalSeconds, fault);
        }

        await Task.Delay(delay, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Worker} skipped, dependency unavailable (failure {Count} in a row, next attempt in {Seconds:F1} s): {Reason}")]
    static partial void LogWaiting(ILogger logger, string worker, int count, double seconds, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Worker} failed unexpectedly (failure {Count} in a row, next attempt in {Seconds:F1} s)")]
    static partial void LogFailed(ILogger logger, string worker, int count, double seconds, Exception exception);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Worker} recovered after {Count} failures")]
    static partial void LogRecovered(ILogger logger, string worker, int count);
}
