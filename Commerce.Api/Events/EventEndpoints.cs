using Commerce.Core;
using Commerce.Core.Catalog;
using Commerce.Core.Events;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Commerce.Api.Events;

/// <summary>Public events, and the live stream for members.</summary>
static class EventEndpoints
{
    public static WebApplicationBuilder AddEvents(this WebApplicationBuilder builder)
    {
        builder.Services.AddOptions<EventStreamOptions>().BindConfiguration(EventStreamOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddSingleton<EventTickets>();
        builder.Services.AddSingleton<EventFeed>();
        builder.Services.AddSingleton<EventClients>();
        builder.Services.AddHostedService<EventBroadcast>();
        return builder;
    }

    public static void MapEvents(this IEndpointRouteBuilder app)
    {
        var events = app.MapGroup("/api/events").WithTags("Events");
        events.MapGet("/", ListAsync).WithName("ListEvents").WithSummary("Lists current, future and past events.").AllowAnonymous();
        events.MapGet("/{id:long}", FindAsync).WithName("GetEvent").WithSummary("Returns an event.").AllowAnonymous()
            .Refuses(EventProblems.NotFound);
        events.MapPost("/ticket", TicketAsync).WithName("CreateStreamTicket").WithSummary("Creates a ticket that opens one live stream without a bearer token.").RequireAuthorization(Policies.Member).LimitPerUser();
        events.MapEventStream();
    }

    static Task<PageResult<SaleEvent>> ListAsync(
        CachedResponse<SaleEvent> pages, EventDefinitions definitions, CancellationToken cancellationToken, Cursor? cursor = null) =>
        pages.GetAsync(cursor?.ToString(), () => definitions.ListAsync(drafts: false, cursor, Paging.PageSize, CancellationToken.None), cancellationToken);

    static async Task<Results<Ok<SaleEvent>, ProblemResult>> FindAsync(long id, EventDefinitions definitions, CancellationToken cancellationToken) =>
        await definitions.FindAsync(id, cancellationToken) is { Status: not EventStatus.Draft } found ? TypedResults.Ok(found) : EventProblems.NotFound.ToResult();

    static async Task<Ok<TicketResponse>> TicketAsync(CurrentUser user, EventTickets tickets) =>
        TypedResults.Ok(new TicketResponse(await tickets.IssueAsync(user.Id), (int)EventTickets.Lifetime.TotalSeconds));
}

/// <summary>A ticket that opens one live stream, once.</summary>
/// <param name="ExpiresIn">The lifetime in seconds.</param>
sealed record TicketResponse(string Ticket, int ExpiresIn);
