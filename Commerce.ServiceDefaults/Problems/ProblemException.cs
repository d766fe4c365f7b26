namespace Commerce.ServiceDefaults;

/// <summary>Ends the work on a request with a problem. Where the refusal is expected and frequent, return <see cref="ProblemType.ToResult"/>.</summary>
/// <param name="problem">What is answered.</param>
/// <param name="detail">What happened this time; the caller reads it.</param>
/// <param name="retryAfter">When it is worth trying again.</param>
/// <param name="innerException">The cause; it is not shown to the caller.</param>
public sealed class ProblemException(ProblemType problem, string? detail = null, TimeSpan? retryAfter = null, Exception? innerException = null)
    : Exception(detail ?? problem.Title, innerException)
{
    public ProblemType ProblemType { get; } = problem;

    public string? Detail { get; } = detail;

    public TimeSpan? RetryAfter { get; } = retryAfter;
}
