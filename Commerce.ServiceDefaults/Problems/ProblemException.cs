namespace Commerce.ServiceDefaults;

/// <summary>
/// Ends a request with a problem. For expected and frequent refusals return <see cref="ProblemType.ToResult"/> instead.
/// </summary>
/// <param name="problem">The problem of the response.</param>
/// <param name="detail">Details of this occurrence, for the caller.</param>
/// <param name="retryAfter">When a retry may succeed. Overrides the time of the type.</param>
/// <param name="innerException">The cause. It is not shown to the caller.</param>
public sealed class ProblemException(ProblemType problem, string? detail = null, TimeSpan? retryAfter = null, Exception? innerException = null)
    : Exception(detail ?? problem.Title, innerException)
{
    public ProblemType ProblemType { get; } = problem;

    public string? Detail { get; } = detail;

    public TimeSpan? RetryAfter { get; } = retryAfter;
}
