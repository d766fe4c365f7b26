using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Commerce.Api.Events;
using Microsoft.AspNetCore.Http.Metadata;

namespace Commerce.Api;

/// <summary>
/// A response that is the same for every caller. This replica creates it at most once a second, so a crowd costs MySQL and Redis as much as one
/// reader. Unlike the framework's output cache it never varies: no parameter, header or token creates another copy.
/// Cancelling one caller does not cancel the shared work.
/// </summary>
sealed class CachedResponse<T>
{
    static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(1);
    static readonly JsonTypeInfo<T> Json = (JsonTypeInfo<T>)ApiJson.Default.GetTypeInfo(typeof(T))!;

    readonly SharedValue<byte[]> _body;

    public CachedResponse(EventFeed feed, TimeProvider clock)
    {
        _body = new(MaxAge, clock);
        // A client that receives an opening reads the lists at once. It must not see their previous state.
        feed.Adding += _body.Forget;
    }

    /// <summary>The response, at most one second old.</summary>
    public async Task<CachedResult<T>> GetAsync(Func<Task<T>> load, CancellationToken cancellationToken) =>
        new(await _body.GetAsync(async () => JsonSerializer.SerializeToUtf8Bytes(await load(), Json)).WaitAsync(cancellationToken));
}

/// <summary>200 with a serialised JSON body.</summary>
sealed class CachedResult<T>(byte[] body) : IResult, IEndpointMetadataProvider
{
    public Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        response.ContentType = "application/json; charset=utf-8";
        response.ContentLength = body.Length;
        return response.Body.WriteAsync(body, httpContext.RequestAborted).AsTask();
    }

    public static void PopulateMetadata(MethodInfo method, EndpointBuilder builder) =>
        builder.Metadata.Add(new ProducesResponseTypeMetadata(StatusCodes.Status200OK, typeof(T), ["application/json"]));
}
