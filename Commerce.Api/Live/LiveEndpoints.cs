using System.Buffers;
using System.Reflection;
using System.Text.Json;
using Commerce.Core.Events;
using Commerce.Core.Live;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Http.Metadata;

namespace Commerce.Api.Live;

/// <summary><c>GET /api/admin/live</c>: the figures of a sale as server-sent events, for administrators.</summary>
static class LiveEndpoints
{
    public static WebApplicationBuilder AddLiveSale(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<LiveRepository>();
        builder.Services.AddSingleton<ServerErrors>();
        builder.Services.AddSingleton<LiveSales>();
        builder.Services.AddSingleton<LiveViewers>();
        builder.Services.AddHostedService<ServerErrorReporter>();
        return builder;
    }

    public static void MapLiveSale(this RouteGroupBuilder administration) =>
        administration.MapGet("/live", StreamAsync).WithName("StreamLiveSale").DisableHttpMetrics().WithoutTraces()
            .WithSummary("Streams the figures of an event's sale once a second (server-sent events LIVE; UNAVAILABLE while MySQL is away).")
            .Refuses(EventProblems.NotFound, EventProblems.StreamsFull);

    static async Task<Results<LiveStream, ProblemResult>> StreamAsync(long eventId, LiveSales sales, LiveViewers viewers)
    {
        if (await sales.ReadAsync(eventId) is null) return EventProblems.NotFound.ToResult();
        return viewers.TryEnter() ? new LiveStream(eventId, sales, viewers) : EventProblems.StreamsFull.ToResult();
    }
}

/// <summary>The open streams of this replica.</summary>
sealed class LiveViewers(IHostApplicationLifetime lifetime)
{
    const int Max = 100;

    int _open;

    /// <summary>Cancelled when the replica stops.</summary>
    public CancellationToken Stopping => lifetime.ApplicationStopping;

    /// <summary>Returns false if the limit is reached. After true, <see cref="Leave"/> must be called once.</summary>
    public bool TryEnter()
    {
        if (Interlocked.Increment(ref _open) <= Max) return true;
        Leave();
        return false;
    }

    public void Leave() => Interlocked.Decrement(ref _open);
}

/// <summary>The response 200: a stream that lasts until the viewer leaves or its time is over.</summary>
sealed class LiveStream(long eventId, LiveSales sales, LiveViewers viewers) : IResult, IEndpointMetadataProvider
{
    /// <summary>The maximum duration of a stream. The viewer then reconnects, which checks the token and its role again.</summary>
    static readonly TimeSpan MaxDuration = TimeSpan.FromMinutes(10);

    /// <summary>The time after which a viewer that does not read is disconnected.</summary>
    static readonly TimeSpan WriteDeadline = TimeSpan.FromSeconds(5);

    public static void PopulateMetadata(MethodInfo method, EndpointBuilder builder) =>
        builder.Metadata.Add(new ProducesResponseTypeMetadata(StatusCodes.Status200OK, typeof(string), ["text/event-stream"]));

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        try
        {
            response.ContentType = "text/event-stream";
            response.Headers.CacheControl = "no-store";
            response.Headers["X-Accel-Buffering"] = "no";
            if (HttpMethods.IsHead(httpContext.Request.Method)) return;
            using var end = CancellationTokenSource.CreateLinkedTokenSource(httpContext.RequestAborted, viewers.Stopping);
            end.CancelAfter(MaxDuration);
            using var timer = new PeriodicTimer(LiveSales.Interval);
            do
            {
                await WriteAsync(response.BodyWriter);
                await response.BodyWriter.FlushAsync(end.Token).AsTask().WaitAsync(WriteDeadline, end.Token);
            }
            while (await timer.WaitForNextTickAsync(end.Token));
        }
        catch (OperationCanceledException)
        {
            // The viewer has left, or the time is over.
        }
        catch (TimeoutException)
        {
            httpContext.Abort();
        }
        finally
        {
            viewers.Leave();
        }
    }

    async Task WriteAsync(IBufferWriter<byte> writer)
    {
        if (await TransientFaults.TryAsync(() => sales.ReadAsync(eventId), null) is not { } sale)
        {
            writer.Write("event: UNAVAILABLE\ndata: {}\n\n"u8);
            return;
        }

        writer.Write("event: LIVE\ndata: "u8);
        writer.Write(JsonSerializer.SerializeToUtf8Bytes(sale, ApiJson.Default.LiveSale));
        writer.Write("\n\n"u8);
    }
}
