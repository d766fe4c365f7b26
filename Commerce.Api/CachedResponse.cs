using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Commerce.Api.Events;
using Commerce.ServiceDefaults;
using Microsoft.AspNetCore.Http.Metadata;

namespace Commerce.Api;

/// <summary>
/// An answer that is the same for everybody, made at most once a second on this replica however many ask: a crowd that looks at a list costs MySQL and Redis
/// no more than one visitor. Unlike the framework's output cache it knows nothing of the request, so that no parameter, header or token makes another copy, and
/// a caller who goes away in the middle takes it from nobody.
/// </summary>
sealed class CachedResponse<T>
{
    static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(1);
    static readonly JsonTypeInfo<T> Json = (JsonTypeInfo<T>)ApiJson.Default.GetTypeInfo(typeof(T))!;

    readonly SharedValue<byte[]> _body;

    public CachedResponse(EventFeed feed, TimeProvider clock)
    {
        _body = new(MaxAge, clock);
        // Who was just told that an event is open looks at the lists at once, and must not see how they were before.
        feed.Adding += _body.Forget;
    }

    /// <summary>The answer as it was at most a second ago.</summary>
    public async Task<CachedResult<T>> GetAsync(Func<Task<T>> load, CancellationToken cancellationToken) =>
        new(await _body.GetAsync(async () => JsonSerializer.SerializeToUtf8Bytes(await load(), Json)).WaitAsync(cancellationToken));
}

/// <summary>200 with JSON that is written already.</summary>
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
