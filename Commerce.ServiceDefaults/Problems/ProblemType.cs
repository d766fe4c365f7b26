namespace Commerce.ServiceDefaults;

/// <summary>
/// A type of error that callers can identify by its slug (RFC 9457). Each type is one instance in a static readonly field.
/// </summary>
/// <param name="status">The HTTP status: 400 to 599.</param>
/// <param name="slug">The stable name, in kebab case.</param>
/// <param name="title">The meaning of the type, the same for all occurrences.</param>
/// <param name="retryAfter">When a retry usually succeeds, or null if it does not.</param>
public sealed class ProblemType(int status, string slug, string title, TimeSpan? retryAfter = null)
{
    ProblemResult? _plain;

    public int Status { get; } = status;

    public string Slug { get; } = slug;

    public string Title { get; } = title;

    public TimeSpan? RetryAfter { get; } = retryAfter;

    /// <summary>The member <c>type</c> of the response: <c>urn:commerce:</c> and the slug.</summary>
    public string Type { get; } = "urn:commerce:" + slug;

    /// <summary>
    /// Creates the response for an expected refusal. It is cheaper than a <see cref="ProblemException"/>, and cached if there are no
    /// arguments.
    /// </summary>
    /// <param name="detail">Details of this occurrence.</param>
    /// <param name="retryAfter">When a retry may succeed, sent in whole seconds. Overrides the time of the type.</param>
    /// <param name="errors">Validation errors by field.</param>
    public ProblemResult ToResult(
        string? detail = null, TimeSpan? retryAfter = null, IReadOnlyDictionary<string, string[]>? errors = null) =>
        detail is null && retryAfter is null && errors is null
            ? _plain ??= new ProblemResult(this, null, RetryAfter, null)
            : new ProblemResult(this, detail, retryAfter ?? RetryAfter, errors);

    public override string ToString() => $"{Status} {Slug}";
}
