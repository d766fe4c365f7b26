namespace Commerce.Core.Coupons;

/// <summary>Reasons for not issuing a coupon.</summary>
public static class CouponProblems
{
    public static readonly ProblemType NotFound = new(404, "coupon-not-found", "This coupon does not exist.");
    public static readonly ProblemType NotIssued = new(404, "coupon-not-issued", "You do not have this coupon.");
    public static readonly ProblemType SoldOut = new(409, "coupon-sold-out", "The coupon is sold out.");
    public static readonly ProblemType AlreadyIssued = new(409, "coupon-already-issued", "You already have this coupon.");
    public static readonly ProblemType NotStarted = new(409, "coupon-not-started", "The coupon is not available yet.");
    public static readonly ProblemType Ended = new(409, "coupon-ended", "The coupon is no longer available.");
    public static readonly ProblemType GateClosed = new(503, "gate-closed", "Coupons cannot be issued right now. Try again.", TimeSpan.FromSeconds(1));
}
