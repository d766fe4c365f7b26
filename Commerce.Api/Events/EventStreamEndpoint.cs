using System.Buffers;
using System.Globalization;
using System.Security.Claims;
using Commerce.Core.Events;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Features.Authentication;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.OpenApi;

namespace Commerce.Api.Events;

/// <summary><c>GET /api/events/stream</c>: openings as server-sent events.</summary>
static class EventStreamEndpoint
{
    /// <summary>The kernel's send buffer. It is small, because a client that does not read fills it.</summary>
    const int SendBuffer = 16 * 1024;

    const int PageSize = 500;
    const int MaxFilters = 50;

    static readonly ClaimsPrincipal Nobody = new();
    static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    /// <summary>The time in which a client must read one page of missed openings.</summary>
    static readonly TimeSpan PageDeadline = TimeSpan.FromSeconds(10);

    /// <summary>
    /// Maps the stream. Query: <c>ticket</c> (instead of a bearer token), <c>eventId</c> (a filter, repeatable) and <c>lastEventId</c>
    /// (or the header <c>Last-Event-ID</c>), which is the start position. Traces and histograms exclude the requests, because they last
    /// for hours.
    /// </summary>
    public static void MapEventStream(this IEndpointRouteBuilder events) =>
        events.MapGet("/stream", (RequestDelegate)StreamAsync).WithName("StreamEvents")
            .WithSummary("Streams the openings of events (server-sent events). The first event (READY) has the start position.").AllowAnonymous().DisableRateLimiting().DisableHttpMetrics().WithoutTraces()
            // Without the method, a bare delegate is missing in the OpenAPI document.
            .WithMetadata(
                new StaysOpen(), ((Delegate)StreamAsync).Method,
                new Refusals([CommonProblems.Validation, CommonProblems.Unauthorized, EventProblems.TooManyStreams, EventProblems.StreamsFull]),
                ServerSentEvents.Metadata)
            .AddOpenApiOperationTransformer((operation, _, _) =>
            {
                operation.Parameters =
                [
                    Parameter("ticket", ParameterLocation.Query, JsonSchemaType.String, "A ticket from POST /api/events/ticket, instead of a bearer token."),
                    Parameter("eventId", ParameterLocation.Query, JsonSchemaType.Integer, $"Only openings of this event; may be repeated up to {MaxFilters} times."),
                    Parameter("lastEventId", ParameterLocation.Query, JsonSchemaType.Integer, "The stream starts after the opening with this id. An unknown id starts at the end."),
                    Parameter("Last-Event-ID", ParameterLocation.Header, JsonSchemaType.Integer, "The same as lastEventId; browsers send it when they reconnect."),
                ];
                return Task.CompletedTask;
            });

    static OpenApiParameter Parameter(string name, ParameterLocation place, JsonSchemaType type, string description) =>
        new() { Name = name, In = place, Description = description, Schema = new OpenApiSchema { Type = type, Format = type == JsonSchemaType.Integer ? "int64" : null } };

    /// <summary>
    /// Keeps live streams open outside of all other middleware. An endpoint that waited for the end of its stream would keep the memory
    /// of authentication, middleware and request services for hours, for each of ten thousand streams. Instead, the endpoint admits the
    /// client and returns.
    /// </summary>
    public static void UseEventStream(this WebApplication app)
    {
        var clients = app.Services.GetRequiredService<EventClients>();
        app.Use((context, next) => context.GetEndpoint()?.Metadata.GetMetadata<StaysOpen>() is null ? next(context) : KeepOpenAsync(context, next, clients));
    }

    static async Task KeepOpenAsync(HttpContext context, RequestDelegate next, EventClients clients)
    {
        await next(context);
        if (context.Features.Get<EventClient>() is not { } client) return;
        try
        {
            await ForgetAsync(context);
            await using var gone = context.RequestAborted.UnsafeRegister(static c => ((EventClient)c!).End(), client);
            clients.Add(client);
            await client.Ended;
        }
        finally
        {
            clients.Remove(client);
        }
    }

    static async Task StreamAsync(HttpContext context)
    {
        var services = context.RequestServices;
        if (await FindUserAsync(context) is not { } userId)
        {
            if (context.User.Identity?.IsAuthenticated is true) await CurrentUser.RefusalOf(context.User).ExecuteAsync(context);
            // UseStatusCodePages adds the body.
            else await context.ChallengeAsync();
            return;
        }

        if (!TryReadFilter(context, out var eventIds))
        {
            await CommonProblems.Validation.ToResult($"eventId must be a number, given at most {MaxFilters} times.").ExecuteAsync(context);
            return;
        }

        var feed = services.GetRequiredService<EventFeed>();
        if (feed.Last < 0)
        {
            await CommonProblems.DependencyUnavailable.ToResult(retryAfter: RetryAfter).ExecuteAsync(context);
            return;
        }

        if (HttpMethods.IsHead(context.Request.Method))
        {
            Prepare(context);
            return;
        }

        var repository = services.GetRequiredService<EventRepository>();
        var position = await FindStartAsync(context, feed, repository);
        var clients = services.GetRequiredService<EventClients>();
        if (clients.TryEnter(userId) is { } refusal)
        {
            await refusal.ExecuteAsync(context);
            return;
        }

        EventClient? client = null;
        try
        {
            Prepare(context);
            position = await BeginAsync(context, feed, eventIds, position, repository);
            client = new(feed, context, userId, eventIds, position, services.GetRequiredService<TimeProvider>());
            context.Features.Set(client);
        }
        catch (Exception e) when (e is OperationCanceledException or TimeoutException && context.Response.HasStarted)
        {
            context.Abort();
        }
        finally
        {
            if (client is null) clients.Leave(userId);
        }
    }

    /// <summary>Finds the user of the token, or else of the ticket. A HEAD request does not redeem the ticket.</summary>
    static async Task<string?> FindUserAsync(HttpContext context)
    {
        var authorization = context.RequestServices.GetRequiredService<IAuthorizationService>();
        if ((await authorization.AuthorizeAsync(context.User, Policies.Member)).Succeeded && CurrentUser.Of(context.User)?.Id is { } userId) return userId;
        if (context.Request.Query["ticket"] is not [{ Length: > 0 } ticket]) return null;
        var tickets = context.RequestServices.GetRequiredService<EventTickets>();
        return HttpMethods.IsHead(context.Request.Method) ? await tickets.FindAsync(ticket) : await tickets.RedeemAsync(ticket);
    }

    static bool TryReadFilter(HttpContext context, out long[]? eventIds)
    {
        eventIds = null;
        var asked = context.Request.Query["eventId"];
        if (asked.Count == 0) return true;
        if (asked.Count > MaxFilters) return false;
        eventIds = new long[asked.Count];
        for (var i = 0; i < asked.Count; i++)
            if (!long.TryParse(asked[i], NumberStyles.None, CultureInfo.InvariantCulture, out eventIds[i])) return false;
        return true;
    }

    /// <summary>
    /// Finds the start position of the stream. Without a valid number it is the last opening. A number beyond the last opening of the
    /// database is reduced to it. A number beyond this replica's last opening is valid, because another replica may be ahead.
    /// </summary>
    static async ValueTask<long> FindStartAsync(HttpContext context, EventFeed feed, EventRepository repository)
    {
        // EventSource sends the header when it reconnects. A new EventSource with a new ticket can only use the query.
        var text = context.Request.Headers["Last-Event-ID"] is [{ Length: > 0 } header] ? header : (string?)context.Request.Query["lastEventId"];
        if (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var id)) return feed.Last;
        return id <= feed.Last ? id : Math.Min(id, await repository.LastOpeningAsync(context.RequestAborted));
    }

    static void Prepare(HttpContext context)
    {
        context.Response.BeginServerSentEvents();
        // The feed disconnects clients that do not read.
        if (context.Features.Get<IHttpMinResponseDataRateFeature>() is { } rate) rate.MinDataRate = null;
        if (context.Features.Get<IConnectionSocketFeature>()?.Socket is { } socket) socket.SendBufferSize = SendBuffer;
    }

    /// <summary>
    /// Releases memory that only the admission needed and that would live as long as the stream: the request's headers (1 to 2 KB in a
    /// browser), the query, the token's claims, middleware features and the request services.
    /// </summary>
    static async ValueTask ForgetAsync(HttpContext context)
    {
        context.User = Nobody;
        context.Features.Set<IAuthenticateResultFeature>(null);
        context.Features.Set<IHttpAuthenticationFeature>(null);
        context.Features.Set<IItemsFeature>(null);
        context.Features.Set<IQueryFeature>(null);
        context.Request.Headers.Clear();
        if (context.Features.Get<IServiceProvidersFeature>() is IAsyncDisposable scope) await scope.DisposeAsync();
    }

    /// <summary>
    /// Writes the headers and the missed openings that are no longer in memory. Returns the position at which the feed continues.
    /// </summary>
    static async Task<long> BeginAsync(HttpContext context, EventFeed feed, long[]? eventIds, long after, EventRepository repository)
    {
        var writer = context.Response.BodyWriter;
        writer.Write(EventClients.RetryLine());
        var position = after;
        while (position < feed.Last && feed.Find(position + 1) is null)
        {
            var missed = await repository.ListOpenedAsync(position, PageSize, context.RequestAborted);
            if (missed.Count == 0)
            {
                position = feed.Last;
                break;
            }

            foreach (var frame in missed.Select(EventFrame.Of).Where(f => eventIds is null || eventIds.Contains(f.EventId))) writer.Write(frame.Bytes);
            await FlushAsync();
            position = missed[^1].Seq;
        }

        writer.Write(EventFrame.Ready(position));
        await FlushAsync();
        return position;

        Task FlushAsync() => writer.FlushAsync(context.RequestAborted).AsTask().WaitAsync(PageDeadline);
    }

    /// <summary>Marks the endpoint for <see cref="UseEventStream"/>.</summary>
    sealed class StaysOpen;
}
