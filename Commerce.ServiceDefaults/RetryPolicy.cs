using System.ComponentModel.DataAnnotations;
using Polly;
using Polly.Retry;

namespace Commerce.ServiceDefaults;

/// <summary>
/// The retry rule of the whole application. Delays double from <see cref="BaseDelay"/> to <see cref="MaxDelay"/>. A random share of
/// each delay is subtracted, so that callers do not retry at the same time.
/// </summary>
public sealed record RetryPolicy
{
    /// <summary>The maximum number of attempts, including the first: 1 to 100.</summary>
    [Range(1, 100)]
    public int Attempts { get; init; } = 4;

    /// <summary>The wait after the first failure: 1 ms to 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:01:00")]
    public TimeSpan BaseDelay { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>The maximum wait: 1 ms to 1 h.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "01:00:00")]
    public TimeSpan MaxDelay { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The random share of each delay: 0 (none) to 1 (all).</summary>
    [Range(0.0, 1.0)]
    public double Jitter { get; init; } = 0.5;

    /// <summary>Returns the wait after the failure of attempt number <paramref name="attempt"/>, counted from 1.</summary>
    public TimeSpan Delay(int attempt)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(attempt, 1);
        // The exponent is limited to prevent an overflow. The maximum delay applies by then.
        var longest = Math.Min(MaxDelay.Ticks, BaseDelay.Ticks * Math.Pow(2, Math.Min(attempt - 1, 62)));
        return TimeSpan.FromTicks((long)(longest * (1 - (Jitter * Random.Shared.NextDouble()))));
    }

    /// <summary>Creates a pipeline that retries after exceptions that <paramref name="isTransient"/> accepts.</summary>
    /// <param name="isTransient">Whether another attempt may succeed.</param>
    /// <param name="time">The clock for the delays.</param>
    /// <param name="onRetry">Called before each retry with the number of the failed attempt (from 1), the exception and the wait.</param>
    public ResiliencePipeline ToPipeline(Func<Exception, bool> isTransient, TimeProvider time, Action<int, Exception, TimeSpan>? onRetry = null)
    {
        if (Attempts == 1)
            return ResiliencePipeline.Empty;
        return new ResiliencePipelineBuilder { TimeProvider = time }
            .AddRetry(new RetryStrategyOptions
            {
                MaxRetryAttempts = Attempts - 1,
                ShouldHandle = arguments => ValueTask.FromResult(arguments.Outcome.Exception is { } e && isTransient(e)),
                DelayGenerator = arguments => ValueTask.FromResult<TimeSpan?>(Delay(arguments.AttemptNumber + 1)),
                OnRetry = arguments =>
                {
                    onRetry?.Invoke(arguments.AttemptNumber + 1, arguments.Outcome.Exception!, arguments.RetryDelay);
                    return ValueTask.CompletedTask;
                },
            })
            .Build();
    }
}
