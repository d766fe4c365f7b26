using Microsoft.AspNetCore.Http.Metadata;

namespace Commerce.Api;

/// <summary>Responses that are streams of server-sent events.</summary>
static class ServerSentEvents
{
    const string ContentType = "text/event-stream";

    /// <summary>Describes such a response, for the OpenAPI document.</summary>
    public static IProducesResponseTypeMetadata Metadata { get; } = new ProducesResponseTypeMetadata(StatusCodes.Status200OK, typeof(string), [ContentType]);

    /// <summary>Sets the headers. No cache stores the stream, and no proxy buffers it.</summary>
    public static void BeginServerSentEvents(this HttpResponse response)
    {
        response.ContentType = ContentType;
        response.Headers.CacheControl = "no-store";
        response.Headers["X-Accel-Buffering"] = "no";
    }
}
