using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Commerce.Core.WaitingRoom;

/// <summary>
/// The pass of an admitted shopper: <c>EVENT.EXPIRES.SIGNATURE</c>. The signature (HMAC-SHA256 with the event's key) binds it to the
/// user, so nobody else can use it.
/// </summary>
public static class WaitingRoomPass
{
    /// <summary>The request header with the passes for an order, separated by commas.</summary>
    public const string Header = "Waiting-Room-Pass";

    /// <summary>Creates a pass.</summary>
    public static string Create(byte[] key, long eventId, string userId, DateTime expiresAt)
    {
        var expires = new DateTimeOffset(expiresAt).ToUnixTimeSeconds();
        return string.Create(CultureInfo.InvariantCulture, $"{eventId}.{expires}.{Base64Url.EncodeToString(Sign(key, eventId, userId, expires))}");
    }

    /// <summary>Whether this is a pass of the event for this user that is valid at this time.</summary>
    public static bool IsValid(string pass, byte[] key, long eventId, string userId, DateTimeOffset now)
    {
        if (pass.Split('.') is not [var id, var end, var signature]
            || !long.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out var of) || of != eventId
            || !long.TryParse(end, NumberStyles.None, CultureInfo.InvariantCulture, out var expires) || expires <= now.ToUnixTimeSeconds())
            return false;
        var expected = Base64Url.EncodeToString(Sign(key, eventId, userId, expires));
        return CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(expected), Encoding.UTF8.GetBytes(signature));
    }

    static byte[] Sign(byte[] key, long eventId, string userId, long expires) =>
        HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{eventId}\n{expires}\n{userId}")));
}
