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

    static async Task<Results<LiveStream, ProblemResult>> StreamAsync(long eventId, CurrentUser user, LiveSales sales, LiveViewers viewers)
    {
        if (await sales.ReadAsync(eventId) is null) return EventProblems.NotFound.ToResult();
        return new LiveStream(eventId, user.Id, sales, viewers);
    }
}

/// <summary>The open streams of this replica.</summary>
sealed class LiveViewers(IHostApplicationLifetime lifetime)
{
    const int Max = 100;
    const int MaxPerUser = 20;

    /// <summary>The open streams, the oldest first.</summary>
    readonly List<(string UserId, CancellationTokenSource End)> _open = [];
    readonly Lock _lock = new();

    /// <summary>Cancelled when the replica stops.</summary>
    public CancellationToken Stopping => lifetime.ApplicationStopping;

    /// <summary>
    /// Returns false if the limit is reached. After true, <see cref="Leave"/> must be called once. A stream beyond the limit of its user
    /// replaces the user's oldest one, whose connection may have been dead for minutes.
    /// </summary>
    /// <param name="userId">The id of the administrator.</param>
    /// <param name="end">Ends the stream.</param>
    public bool TryEnter(string userId, CancellationTokenSource end)
    {
        lock (_lock)
        {
            if (_open.Count(v => v.UserId == userId) >= MaxPerUser)
            {
                var oldest = _open.FindIndex(v => v.UserId == userId);
                // The other stream ends asynchronously, because otherwise its end would run here.
                _open[oldest].End.CancelAfter(TimeSpan.Zero);
                _open.RemoveAt(oldest);
            }

            if (_open.Count >= Max) return false;
            _open.Add((userId, end));
            return true;
        }
    }

    /// <summary>Frees the place of a stream, if it was not replaced.</summary>
    public void Leave(CancellationTokenSource end)
    {
        lock (_lock) _open.RemoveAll(v => v.End == end);
    }
}

/// <summary>The response 200: a stream that lasts until the viewer leaves or is replaced, or its time is over.</summary>
sealed class LiveStream(long eventId, string userId, LiveSales sales, LiveViewers viewers) : IResult, IEndpointMetadataProvider
{
    /// <summary>The maximum duration of a stream. The viewer then reconnects, which checks the token and its role again.</summary>
    static readonly TimeSpan MaxDuration = TimeSpan.FromMinutes(10);

    /// <summary>The time after which a viewer that does not read is disconnected.</summary>
    static readonly TimeSpan WriteDeadline = TimeSpan.FromSeconds(5);

    public static void PopulateMetadata(MethodInfo method, EndpointBuilder builder) => builder.Metadata.Add(ServerSentEvents.Metadata);

    public async Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        response.BeginServerSentEvents();
        if (HttpMethods.IsHead(httpContext.Request.Method)) return;
        using var end = CancellationTokenSource.CreateLinkedTokenSource(httpContext.RequestAborted, viewers.Stopping);
        end.CancelAfter(MaxDuration);
        if (!viewers.TryEnter(userId, end))
        {
            await EventProblems.StreamsFull.ToResult().ExecuteAsync(httpContext);
            return;
        }

        try
        {
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
            // The viewer has left, was replaced, or the time is over.
        }
        catch (TimeoutException)
        {
            httpContext.Abort();
        }
        finally
        {
            viewers.Leave(end);
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
