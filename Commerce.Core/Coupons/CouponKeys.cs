using StackExchange.Redis;

namespace Commerce.Core.Coupons;

/// <summary>
/// The keys of one coupon in Redis. All carry the hash tag <c>{coupon:ID}</c>, so that a script over them runs on one node of a cluster.
/// </summary>
public readonly struct CouponKeys(long couponId)
{
    readonly string _tag = $"{{coupon:{couponId}}}:";

    /// <summary>Hash: stock, total, opens, closes (ms since 1970, Redis' clock), state, version, epoch, server. Absent: the gate is closed.</summary>
    public RedisKey Gate => _tag + "gate";

    /// <summary>Hash: user → when the gate accepted them (ms). One entry is one coupon taken.</summary>
    public RedisKey Users => _tag + "users";

    /// <summary>Sorted set: users whose row is not known to be committed yet → when the sweeper is to look again (ms).</summary>
    public RedisKey Pending => _tag + "pending";

    /// <summary>The keys in the order in which every coupon script takes them.</summary>
    public RedisKey[] All => [Gate, Users, Pending];
}
