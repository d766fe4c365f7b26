using System.Text.Json;
using System.Text.Json.Serialization;
using Commerce.Core.Messaging;

namespace Commerce.Core.Coupons;

/// <summary>
/// The message <c>COUPON_ISSUED</c>. It is an acceptance with user and time, or, if <see cref="IsBarrier"/> is set, the barrier of a
/// rebuild.
/// </summary>
/// <param name="CouponId">The coupon.</param>
/// <param name="Epoch">The gate's epoch at the acceptance. For a barrier, the epoch that the rebuild opens.</param>
/// <param name="UserId">The user who got the coupon.</param>
/// <param name="AcceptedAt">The time of the acceptance by Redis' clock, in ms since 1970.</param>
/// <param name="IsBarrier">True: all messages before this one in the partition belong to an older epoch.</param>
public sealed record CouponIssued(long CouponId, int Epoch, string? UserId = null, long AcceptedAt = 0, [property: JsonPropertyName("fence")] bool IsBarrier = false)
{
    /// <summary>The year 3000. Acceptances are never later, and MySQL cannot store much later times.</summary>
    const long MaxAcceptedAt = 32_503_680_000_000;

    /// <summary>The message as JSON.</summary>
    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, CouponJson.Default.CouponIssued);

    /// <summary>Reads a message. Returns null if it is valid, otherwise one of <see cref="DeadLetterReasons"/>.</summary>
    public static string? Read(byte[]? value, out CouponIssued message) =>
        MessageJson.Read(value, CouponJson.Default.CouponIssued, m => m is { CouponId: > 0, Epoch: > 0 } && (m.IsBarrier || (m.AcceptedAt is > 0 and < MaxAcceptedAt && ServiceDefaults.UserId.IsValid(m.UserId))), out message);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault)]
[JsonSerializable(typeof(CouponIssued))]
sealed partial class CouponJson : JsonSerializerContext;
