using System.ComponentModel.DataAnnotations;

namespace Commerce.ServiceDefaults;

/// <summary>Resilience of HTTP clients. Configuration section <c>HttpResilience</c>.</summary>
public sealed class HttpResilienceOptions : IValidatableObject
{
    public const string Section = "HttpResilience";

    /// <summary>Timeout of a request with all its attempts: 100 ms to 10 min. Default 30 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:10:00")]
    public TimeSpan TotalTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Timeout of one attempt of a repeatable request: 10 ms to <see cref="TotalTimeout"/>. Default 10 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:10:00")]
    public TimeSpan AttemptTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Maximum number of attempts of a GET, HEAD or OPTIONS: 1 to 10. Default 4.</summary>
    [Range(1, 10)]
    public int Attempts { get; set; } = 4;

    /// <summary>
    /// The wait before the second attempt: 1 ms to 1 min. It doubles each time, and half of it is random. Default 200 ms.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:01:00")]
    public TimeSpan BaseDelay { get; set; } = TimeSpan.FromMilliseconds(200);

    /// <summary>The maximum wait: 1 ms to 5 min. A response with a longer Retry-After is final. Default 5 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "00:05:00")]
    public TimeSpan MaxDelay { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>The failure ratio that opens the circuit of a host: 0.01 to 1. Default 0.5.</summary>
    [Range(0.01, 1.0)]
    public double BreakerFailureRatio { get; set; } = 0.5;

    /// <summary>
    /// The minimum number of calls within <see cref="BreakerSampling"/> before the ratio counts: 2 to 10,000. Default 20.
    /// </summary>
    [Range(2, 10_000)]
    public int BreakerMinimumThroughput { get; set; } = 20;

    /// <summary>The sampling period of the failures: 500 ms to 10 min. Default 30 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.500", "00:10:00")]
    public TimeSpan BreakerSampling { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long the circuit stays open: 500 ms to 10 min. Default 5 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00.500", "00:10:00")]
    public TimeSpan BreakDuration { get; set; } = TimeSpan.FromSeconds(5);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (AttemptTimeout > TotalTimeout)
            yield return new ValidationResult($"{nameof(AttemptTimeout)} must not exceed {nameof(TotalTimeout)}.", [nameof(AttemptTimeout)]);
        if (BaseDelay > MaxDelay)
            yield return new ValidationResult($"{nameof(BaseDelay)} must not exceed {nameof(MaxDelay)}.", [nameof(BaseDelay)]);
    }
}
