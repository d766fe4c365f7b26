using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;

namespace Commerce.ServiceDefaults;

/// <summary>
/// Validates the JSON body of a request before its endpoint reads it, and reports every error with its member. The framework reports
/// one error at a time, in messages for developers, and answers an unusual charset with 500.
/// </summary>
sealed class JsonBodyMiddleware(RequestDelegate next, IOptions<JsonOptions> json)
{
    const string Json = "application/json";
    const string Identity = "identity";

    /// <summary>
    /// The initial size of the buffer. It grows while the body arrives, so that a caller cannot allocate memory by announcing a length.
    /// </summary>
    const int FirstBuffer = 64 * 1024;

    public Task InvokeAsync(HttpContext context)
    {
        var endpoint = context.GetEndpoint();
        return endpoint?.Metadata.GetMetadata<IAcceptsMetadata>() is { RequestType: { } type, IsOptional: false } accepts && accepts.ContentTypes.Contains(Json)
            ? ReadAsync(context, type, endpoint.Metadata.GetMetadata<BodyRule>() ?? BodyRule.Tolerant)
            : next(context);
    }

    async Task ReadAsync(HttpContext context, Type type, BodyRule rule)
    {
        if (await RefuseAsync(context, type, rule) is { } refusal) await refusal.ExecuteAsync(context);
        else await next(context);
    }

    async Task<ProblemResult?> RefuseAsync(HttpContext context, Type type, BodyRule rule)
    {
        var request = context.Request;
        if (request.Headers.ContentEncoding.Any(IsEncoded))
        {
            context.Response.Headers.AcceptEncoding = Identity;
            return CommonProblems.UnsupportedMediaType.ToResult("Content-Encoding is not supported. Send the body unencoded.");
        }

        if (context.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: false }) return Empty();
        if (!request.HasJsonContentType()) return CommonProblems.UnsupportedMediaType.ToResult($"Send JSON, with Content-Type: {Json}.");
        if (FindEncoding(request.ContentType) is not { } encoding)
            return CommonProblems.UnsupportedMediaType.ToResult("The charset of the Content-Type is not supported. Send JSON in UTF-8.");

        var read = new MemoryStream((int)Math.Min(request.ContentLength ?? 0, FirstBuffer));
        await request.Body.CopyToAsync(read, context.RequestAborted);
        var body = read.GetBuffer().AsMemory(0, (int)read.Length);
        var utf8 = Encoding.UTF8;
        if (encoding.CodePage != utf8.CodePage) body = Encoding.Convert(encoding, utf8, body.ToArray());
        if (body.Span.StartsWith(utf8.Preamble)) body = body[utf8.Preamble.Length..];
        if (!body.Span.ContainsAnyExcept(" \t\r\n"u8)) return Empty();

        var options = json.Value.SerializerOptions;
        try
        {
            using var document = JsonDocument.Parse(
                body, new() { AllowTrailingCommas = options.AllowTrailingCommas, CommentHandling = options.ReadCommentHandling, MaxDepth = options.MaxDepth });
            if (document.RootElement.ValueKind == JsonValueKind.Null) return CommonProblems.Validation.ToResult("The request needs a body; it is null.");
            if (JsonBodyCheck.Run(document.RootElement, options.GetTypeInfo(type), rule) is { Count: > 0 } errors)
                return CommonProblems.Validation.ToResult(errors: errors);
        }
        catch (JsonException e)
        {
            return CommonProblems.Validation.ToResult($"The body is not valid JSON: error at line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}.");
        }

        request.ContentType = Json;
        request.ContentLength = body.Length;
        MemoryMarshal.TryGetArray<byte>(body, out var bytes);
        request.Body = new MemoryStream(bytes.Array!, bytes.Offset, bytes.Count, writable: false);
        return null;
    }

    static ProblemResult Empty() => CommonProblems.Validation.ToResult("The request needs a JSON body; it is empty.");

    static bool IsEncoded(string? header) =>
        header is not null && header.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Any(encoding => !encoding.Equals(Identity, StringComparison.OrdinalIgnoreCase));

    /// <summary>Finds the encoding. Returns null if the charset is unknown.</summary>
    static Encoding? FindEncoding(string? contentType)
    {
        if (!MediaTypeHeaderValue.TryParse(contentType, out var type)) return null;
        if (type.Parameters.FirstOrDefault(p => p.Name.Equals("charset", StringComparison.OrdinalIgnoreCase)) is not { } charset) return Encoding.UTF8;
        try
        {
            return Encoding.GetEncoding(charset.GetUnescapedValue().ToString());
        }
        catch (Exception e) when (e is ArgumentException or NotSupportedException)
        {
            return null;
        }
    }
}
