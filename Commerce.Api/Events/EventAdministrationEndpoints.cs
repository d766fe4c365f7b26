using System.ComponentModel.DataAnnotations;
using Commerce.Api.Idempotency;
using Commerce.Core;
using Commerce.Core.Administration;
using Commerce.Core.Catalog;
using Commerce.Core.Coupons;
using Commerce.Core.Events;
using Commerce.Core.Inventory;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Commerce.Api.Events;

/// <summary>Events for administrators.</summary>
static class EventAdministrationEndpoints
{
    public static void MapEventAdministration(this RouteGroupBuilder administration)
    {
        var events = administration.MapGroup("/events");
        events.MapGet("/", ListAsync).WithName("ListEventDefinitions").WithSummary("Lists all events, drafts included.");
        events.MapPost("/", CreateAsync).WithName("CreateEvent").WithSummary("Creates an event; without an opening time it is a draft.").TakesIdempotencyKey()
            .Refuses(EventProblems.CouponLinked, CouponProblems.NotFound, InventoryProblems.ProductNotFound);
        events.MapGet("/{id:long}", FindAsync).WithName("GetEventDefinition").WithSummary("Returns an event.")
            .Refuses(EventProblems.NotFound);
        events.MapPut("/{id:long}", ChangeAsync).WithName("ReplaceEvent").WithSummary("Replaces the definition of an event that is not open yet.")
            .Refuses(EventProblems.NotFound, EventProblems.NotSchedulable, EventProblems.CouponLinked, CouponProblems.NotFound, InventoryProblems.ProductNotFound);
        events.MapPost("/{id:long}/schedule", ScheduleAsync).WithName("ScheduleEvent").WithSummary("Changes the opening and closing time of an event.")
            .Refuses(EventProblems.NotFound, EventProblems.NotSchedulable, EventProblems.ClosesTooEarly);
        events.MapPost("/{id:long}/open", OpenAsync).WithName("OpenEvent").WithSummary("Opens an event now.")
            .Refuses(EventProblems.NotFound, EventProblems.NotOpenable);
        events.MapPost("/{id:long}/cancel", CancelAsync).WithName("CancelEvent").WithSummary("Cancels an event, open or not.")
            .Refuses(EventProblems.NotFound, EventProblems.NotCancellable);
    }

    static async Task<PageResult<SaleEvent>> ListAsync(
        EventDefinitions events, CancellationToken cancellationToken, Cursor? cursor = null, [Range(1, 200)] int limit = Paging.PageSize) =>
        (await events.ListAsync(drafts: true, cursor, limit, cancellationToken)).ToResult("cursor");

    static async Task<Results<Ok<SaleEvent>, ProblemResult>> FindAsync(long id, EventDefinitions events, CancellationToken cancellationToken) =>
        await events.FindAsync(id, cancellationToken) is { } found ? TypedResults.Ok(found) : EventProblems.NotFound.ToResult();

    static async Task<Results<Created<SaleEvent>, ProblemResult>> CreateAsync(
        EventDefinition definition, EventAdministration administration, CancellationToken cancellationToken)
    {
        if (definition.Validate() is { Count: > 0 } errors) return CommonProblems.Validation.ToResult(errors: errors);
        var created = await administration.CreateAsync(definition, cancellationToken);
        return TypedResults.Created($"/api/admin/events/{created.Id}", created);
    }

    static async Task<Results<Ok<SaleEvent>, ProblemResult>> ChangeAsync(
        long id, IfMatch ifMatch, EventDefinition definition, EventAdministration administration, CancellationToken cancellationToken)
    {
        var errors = definition.Validate();
        // Null could mean "unchanged" or "none".
        if (definition.CouponIds is null) errors["couponIds"] = ["Required: a list, [] for none."];
        if (definition.ProductIds is null) errors["productIds"] = ["Required: a list, [] for none."];
        if (errors.Count > 0) return CommonProblems.Validation.ToResult(errors: errors);
        return TypedResults.Ok(await administration.ChangeAsync(id, definition, ifMatch.Versions, cancellationToken));
    }

    static async Task<Results<Ok<SaleEvent>, ProblemResult>> ScheduleAsync(
        long id, EventTimes times, EventAdministration administration, CancellationToken cancellationToken)
    {
        var errors = times.Validate();
        if (times.OpensAt is null) errors["opensAt"] = ["Required."];
        if (errors.Count > 0) return CommonProblems.Validation.ToResult(errors: errors);
        return TypedResults.Ok(await administration.ScheduleAsync(id, times, cancellationToken));
    }

    static async Task<Ok<SaleEvent>> OpenAsync(long id, EventAdministration administration, CancellationToken cancellationToken) =>
        TypedResults.Ok(await administration.OpenAsync(id, cancellationToken));

    static async Task<Ok<SaleEvent>> CancelAsync(long id, EventAdministration administration, CancellationToken cancellationToken) =>
        TypedResults.Ok(await administration.CancelAsync(id, cancellationToken));
}
