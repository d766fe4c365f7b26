using StackExchange.Redis;

namespace Commerce.Core.Coupons;

/// <summary>The Redis keys of one coupon. All have the hash tag <c>{coupon:ID}</c>, so that a script runs on one node of a cluster.</summary>
public readonly struct CouponKeys(long couponId)
{
    readonly string _tag = $"{{coupon:{couponId}}}:";

    /// <summary>
    /// Hash: stock, total, opens, closes (ms since 1970, Redis' clock), state, version, epoch, server. Missing: the gate is closed.
    /// </summary>
    public RedisKey Gate => _tag + "gate";

    /// <summary>Hash: user → time of acceptance (ms). One entry is one issued coupon.</summary>
    public RedisKey Users => _tag + "users";

    /// <summary>Sorted set: users without a confirmed row → when the sweeper must check again (ms).</summary>
    public RedisKey Pending => _tag + "pending";

    /// <summary>The keys in the order that every coupon script expects.</summary>
    public RedisKey[] All => [Gate, Users, Pending];
}
