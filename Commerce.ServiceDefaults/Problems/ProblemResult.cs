using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Commerce.ServiceDefaults;

/// <summary>A response in <c>application/problem+json</c>. Created by <see cref="ProblemType.ToResult"/>.</summary>
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
        // Server failures carry their trace id. Refusals are always the same and can be cached.
        var bytes = ProblemType.Status >= StatusCodes.Status500InternalServerError
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

    byte[] Serialize(string? traceId)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("type", ProblemType.Type);
            json.WriteString("title", ProblemType.Title);
            json.WriteNumber("status", ProblemType.Status);
            if (_detail is not null)
                json.WriteString("detail", _detail);
            if (_errors is not null)
            {
                json.WriteStartObject("errors");
                foreach (var (field, messages) in _errors)
                {
                    json.WriteStartArray(field);
                    foreach (var message in messages)
                        json.WriteStringValue(message);
                    json.WriteEndArray();
                }
                json.WriteEndObject();
            }
            if (traceId is not null)
                json.WriteString("traceId", traceId);
            json.WriteEndObject();
        }
        return buffer.WrittenSpan.ToArray();
    }
}
