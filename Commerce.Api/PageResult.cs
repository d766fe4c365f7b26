using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Commerce.Core;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Primitives;

namespace Commerce.Api;

/// <summary>The response 200 with a page of a list. The header <c>Link</c> has the address of the next page (RFC 8288).</summary>
sealed class PageResult<T>(ReadOnlyMemory<byte> body, string? next, string parameter) : IResult, IEndpointMetadataProvider
{
    public Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        httpContext.LinkNext(parameter, next);
        response.ContentType = "application/json; charset=utf-8";
        response.ContentLength = body.Length;
        return response.Body.WriteAsync(body, httpContext.RequestAborted).AsTask();
    }

    public static void PopulateMetadata(MethodInfo method, EndpointBuilder builder)
    {
        builder.Metadata.Add(new ProducesResponseTypeMetadata(StatusCodes.Status200OK, typeof(IReadOnlyList<T>), ["application/json"]));
        builder.Metadata.Add(Paging.HasPages);
    }
}

/// <summary>Pages of lists.</summary>
static class Paging
{
    /// <summary>The metadata of an endpoint that links to its next page.</summary>
    public static readonly object HasPages = new Marker();

    /// <summary>The page size for lists whose page size the caller cannot choose.</summary>
    public const int PageSize = 200;

    /// <summary>Whether the metadata of an endpoint marks it as paged.</summary>
    public static bool IsPaged(this IEnumerable<object> metadata) => metadata.OfType<Marker>().Any();

    /// <summary>Serialises the page as JSON.</summary>
    public static byte[] Serialize<T>(this Page<T> page) =>
        JsonSerializer.SerializeToUtf8Bytes(page.Items, (JsonTypeInfo<IReadOnlyList<T>>)ApiJson.Default.GetTypeInfo(typeof(IReadOnlyList<T>))!);

    /// <summary>Creates the response for a page.</summary>
    /// <param name="parameter">The query parameter of the cursor.</param>
    public static PageResult<T> ToResult<T>(this Page<T> page, string parameter = "before") => new(page.Serialize(), page.Next, parameter);

    /// <summary>
    /// Adds the link to the next page, which is the address of this request with another cursor. Does nothing on the last page.
    /// </summary>
    public static void LinkNext(this HttpContext context, string parameter, string? cursor)
    {
        if (cursor is null) return;
        var request = context.Request;
        var query = request.Query.Where(q => !string.Equals(q.Key, parameter, StringComparison.OrdinalIgnoreCase)).Append(new(parameter, (StringValues)cursor));
        context.Response.Headers.Link = $"<{QueryHelpers.AddQueryString(request.PathBase + request.Path, query)}>; rel=\"next\"";
    }

    sealed class Marker;
}
