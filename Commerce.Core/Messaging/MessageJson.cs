using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Commerce.Core.Messaging;

/// <summary>Reads messages in JSON.</summary>
static class MessageJson
{
    /// <summary>Reads a message. Returns null if it is valid, otherwise one of <see cref="DeadLetterReasons"/>.</summary>
    /// <param name="isValid">Whether the value is a message of the topic. It is called with null for a JSON null.</param>
    public static string? Read<T>(byte[]? value, JsonTypeInfo<T> type, Func<T?, bool> isValid, out T message) where T : class
    {
        message = null!;
        if (DeadLetterReasons.Of(value) is { } reason) return reason;
        try
        {
            message = JsonSerializer.Deserialize(value, type)!;
            return isValid(message) ? null : DeadLetterReasons.Unreadable;
        }
        catch (JsonException)
        {
            return DeadLetterReasons.Unreadable;
        }
    }
}
