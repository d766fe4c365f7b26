using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Commerce.Core.Messaging;
using Commerce.Core.Outbox;

namespace Commerce.Core.Events;

/// <summary>The message <c>EVENT_OPEN</c>.</summary>
/// <param name="Seq">The sequence number of the opening: from 1, without gaps, in commit order.</param>
public sealed record EventOpened(long EventId, string Name, DateTime OpenedAt, long Seq)
{
    /// <summary>All messages share one key, so they arrive in the order of their numbers.</summary>
    const string Key = "events";

    /// <summary>The message for the outbox.</summary>
    public OutboxMessage ToMessage() => new(Topics.EventOpen, Key, IdOf(EventId), ToBytes());

    /// <summary>The message id that all copies of an event's message share.</summary>
    public static string IdOf(long eventId) => string.Create(CultureInfo.InvariantCulture, $"event-open:{eventId}");

    /// <summary>The message as JSON.</summary>
    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, EventJson.Default.EventOpened);

    /// <summary>Reads a message. Returns null if it is valid, otherwise one of <see cref="DeadLetterReasons"/>.</summary>
    public static string? Read(byte[]? value, out EventOpened message) =>
        MessageJson.Read(value, EventJson.Default.EventOpened, m => m is { EventId: > 0, Seq: > 0, Name: not null }, out message);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(EventOpened))]
sealed partial class EventJson : JsonSerializerContext;
