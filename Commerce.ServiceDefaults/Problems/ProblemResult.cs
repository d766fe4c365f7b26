using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Commerce.ServiceDefaults;

/// <summary>A response in <c>application/problem+json</c>. <see cref="ProblemType.ToResult"/> creates it.</summary>
public sealed class ProblemResult : IResult, IStatusCodeHttpResult, IContentTypeHttpResult
{
    readonly string? _detail;
    readonly IReadOnlyDictionary<string, string[]>? _errors;
    readonly string? _retryAfterSeconds;
    byte[]? _body;

    internal ProblemResult(ProblemType problem, string? detail, TimeSpan? retryAfter, IReadOnlyDictionary<string, string[]>? errors)
    {
        ProblemType = problem;
        _detail = detail;
        _errors = errors;
        if (retryAfter is { } wait)
            _retryAfterSeconds = Math.Max(1, (long)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
    }

    public ProblemType ProblemType { get; }

    public string ContentType => "application/problem+json";

    int? IStatusCodeHttpResult.StatusCode => ProblemType.Status;

    public Task ExecuteAsync(HttpContext httpContext)
    {
        // A server failure contains its trace id. Refusals are always the same and can be cached.
        var failed = ProblemType.Status >= StatusCodes.Status500InternalServerError;
        if (failed) ServerFailures.Add();
        var bytes = failed
            ? Serialize(Activity.Current?.TraceId.ToHexString() ?? httpContext.TraceIdentifier)
            : _body ??= Serialize(traceId: null);
        var response = httpContext.Response;
        response.StatusCode = ProblemType.Status;
        response.ContentType = ContentType;
        response.ContentLength = bytes.Length;
        if (_retryAfterSeconds is not null)
            response.Headers.RetryAfter = _retryAfterSeconds;
        var written = response.Body.WriteAsync(bytes, httpContext.RequestAborted);
        return written.IsCompletedSuccessfully ? Task.CompletedTask : written.AsTask();
    }

    byte[] Serialize(string? traceId) => JsonSerializer.SerializeToUtf8Bytes(
        new(ProblemType.Type, ProblemType.Title, ProblemType.Status, _detail, _errors, traceId), ProblemJson.Default.ProblemBody);
}

/// <summary>The body of a problem. A member without a value is omitted.</summary>
sealed record ProblemBody(string Type, string Title, int Status, string? Detail, IReadOnlyDictionary<string, string[]>? Errors, string? TraceId);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(ProblemBody))]
sealed partial class ProblemJson : JsonSerializerContext;
