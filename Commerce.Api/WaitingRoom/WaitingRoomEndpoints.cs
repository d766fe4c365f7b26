using System.Globalization;
using Commerce.Core.WaitingRoom;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Commerce.Api.WaitingRoom;

/// <summary>The waiting rooms of events, for members.</summary>
static class WaitingRoomEndpoints
{
    public static void MapWaitingRooms(this IEndpointRouteBuilder app)
    {
        var rooms = app.MapGroup("/api/events/{id:long}/waiting-room").WithTags("Events").RequireAuthorization(Policies.Member);
        rooms.MapPost("/", JoinAsync).WithName("JoinWaitingRoom").WithSummary("Gives the user a place in the waiting room of an event, or returns the one that there is.").LimitPerUser()
            .Refuses(WaitingRoomProblems.NotFound, WaitingRoomProblems.Closed);
        rooms.MapGet("/", FindAsync).WithName("GetWaitingRoomPlace").WithSummary("Returns the place of the user in the waiting room, and the pass of an admitted user.")
            .Refuses(WaitingRoomProblems.NotFound, WaitingRoomProblems.NoPlace, WaitingRoomProblems.Closed);
        rooms.MapPost("/leave", LeaveAsync).WithName("LeaveWaitingRoom").WithSummary("Gives up the place of the user. A pass stays valid.").LimitPerUser()
            .Refuses(WaitingRoomProblems.NotFound);
    }

    static async Task<Results<Ok<WaitingRoomPlace>, ProblemResult>> JoinAsync(
        long id, CurrentUser user, WaitingRooms rooms, HttpContext http, CancellationToken cancellationToken) =>
        AnswerTo(await rooms.EnterAsync(id, user.Id, joins: true, cancellationToken), http);

    static async Task<Results<Ok<WaitingRoomPlace>, ProblemResult>> FindAsync(
        long id, CurrentUser user, WaitingRooms rooms, HttpContext http, CancellationToken cancellationToken) =>
        AnswerTo(await rooms.EnterAsync(id, user.Id, joins: false, cancellationToken), http);

    static Results<Ok<WaitingRoomPlace>, ProblemResult> AnswerTo(WaitingRoomPlace? place, HttpContext http)
    {
        if (place is null) return WaitingRoomProblems.NoPlace.ToResult();
        http.Response.Headers.CacheControl = "no-store";
        if (place.RetryAfter is { } seconds) http.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        return TypedResults.Ok(place);
    }

    static async Task<Ok<LeftWaitingRoom>> LeaveAsync(long id, CurrentUser user, WaitingRooms rooms, CancellationToken cancellationToken)
    {
        await rooms.LeaveAsync(id, user.Id, cancellationToken);
        return TypedResults.Ok(new LeftWaitingRoom(id, "LEFT"));
    }
}

/// <summary>The response after a user has left a waiting room.</summary>
/// <param name="Status">LEFT.</param>
sealed record LeftWaitingRoom(long EventId, string Status);
