namespace Commerce.ServiceDefaults;

/// <summary>
/// A kind of refusal or failure that callers can tell by its name (RFC 9457). One instance for each kind, in a static readonly field.
/// </summary>
/// <param name="status">The HTTP status: 400 to 599.</param>
/// <param name="slug">The stable name, in kebab case.</param>
/// <param name="title">What the kind means, the same for all its occurrences.</param>
public sealed class ProblemType(int status, string slug, string title)
{
    ProblemResult? _plain;

    public int Status { get; } = status;

    public string Slug { get; } = slug;

    public string Title { get; } = title;

    /// <summary>The <c>type</c> of the answer: <c>urn:commerce:</c> and the slug.</summary>
    public string Type { get; } = "urn:commerce:" + slug;

    /// <summary>
    /// The answer to a request, for refusals that are expected: cheaper than a <see cref="ProblemException"/>, and free without arguments.
    /// </summary>
    /// <param name="detail">What happened this time.</param>
    /// <param name="retryAfter">When it is worth trying again; told in whole seconds.</param>
    /// <param name="errors">What is wrong with which field of the request.</param>
    public ProblemResult ToResult(
        string? detail = null, TimeSpan? retryAfter = null, IReadOnlyDictionary<string, string[]>? errors = null) =>
        detail is null && retryAfter is null && errors is null
            ? _plain ??= new ProblemResult(this, null, null, null)
            : new ProblemResult(this, detail, retryAfter, errors);

    public override string ToString() => $"{Status} {Slug}";
}
