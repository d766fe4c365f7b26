namespace Commerce.Core.Events;

/// <summary>Reasons for refusing a change of an event, or a live stream.</summary>
public static class EventProblems
{
    public static readonly ProblemType NotFound = new(404, "event-not-found", "This event does not exist.");
    public static readonly ProblemType NotSchedulable = new(409, "event-not-schedulable", "The event is open or over and can no longer be changed.");
    public static readonly ProblemType ClosesTooEarly = new(409, "event-closes-too-early", "The event would close before it opens. Set a later closesAt as well.");
    public static readonly ProblemType NotOpenable = new(409, "event-not-openable", "The event is over or cancelled.");
    public static readonly ProblemType NotCancellable = new(409, "event-not-cancellable", "The event is over.");
    public static readonly ProblemType CouponLinked = new(409, "coupon-linked", "A coupon belongs to another event that is not over yet.");
    public static readonly ProblemType TooManyStreams = new(429, "too-many-streams", "You have reached the limit of open live streams. Try again.", TimeSpan.FromSeconds(2));
    public static readonly ProblemType StreamsFull = new(503, "streams-full", "The server has reached its limit of live streams. Try again.", TimeSpan.FromSeconds(2));
}
