using StackExchange.Redis;

namespace Commerce.Core.Coupons;

/// <summary>
/// The Redis keys of one coupon. All have the hash tag <c>{coupon:ID}</c>, so that a script runs on one node of a cluster.
/// </summary>
public readonly struct CouponKeys(long couponId)
{
    readonly string _tag = $"{{coupon:{couponId}}}:";

    /// <summary>
    /// Hash with stock, total, opens, closes (ms since 1970, Redis' clock), state, version, epoch and server. Without it the gate is
    /// closed.
    /// </summary>
    public RedisKey Gate => _tag + "gate";

    /// <summary>Hash: user → time of acceptance (ms). Each entry is one issued coupon.</summary>
    public RedisKey Users => _tag + "users";

    /// <summary>Sorted set: users without a confirmed row → time of the next check by the sweeper (ms).</summary>
    public RedisKey Pending => _tag + "pending";

    /// <summary>The keys in the order that every coupon script expects.</summary>
    public RedisKey[] All => [Gate, Users, Pending];
}
