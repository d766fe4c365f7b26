namespace Commerce.Core.WaitingRoom;

/// <summary>Reasons for refusing a place, or an order without a pass.</summary>
public static class WaitingRoomProblems
{
    public static readonly ProblemType NotFound = new(404, "waiting-room-not-found", "This event has no waiting room, or is over.");
    public static readonly ProblemType NoPlace = new(404, "waiting-room-place-not-found", "You have no place in this waiting room. Join it.");
    public static readonly ProblemType PassRequired = new(403, "waiting-room-pass-required", "This product is sold through a waiting room. Join it and order with its pass.");
    public static readonly ProblemType Closed = new(503, "waiting-room-closed", "The waiting room is being opened. Try again.", TimeSpan.FromSeconds(1));
}
