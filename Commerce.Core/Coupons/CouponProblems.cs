using Commerce.ServiceDefaults;

namespace Commerce.Core.Coupons;

/// <summary>Why a coupon is not issued.</summary>
public static class CouponProblems
{
    public static readonly ProblemType NotFound = new(404, "coupon-not-found", "There is no such coupon.");
    public static readonly ProblemType NotIssued = new(404, "coupon-not-issued", "You do not have this coupon.");
    public static readonly ProblemType SoldOut = new(409, "coupon-sold-out", "All coupons are gone.");
    public static readonly ProblemType AlreadyIssued = new(409, "coupon-already-issued", "You have this coupon already.");
    public static readonly ProblemType NotStarted = new(409, "coupon-not-started", "The coupon cannot be had yet.");
    public static readonly ProblemType Ended = new(409, "coupon-ended", "The coupon cannot be had any more.");
    public static readonly ProblemType GateClosed = new(503, "gate-closed", "Coupons are not given out at this moment. Try again.");
}
