using System.Text.Json;
using System.Text.Json.Serialization;
using Commerce.Core.Inventory;
using Commerce.Core.Messaging;
using Commerce.Core.Outbox;

namespace Commerce.Core.Orders;

/// <summary>The message <c>ORDER_PLACED</c>: an order is paid, and its stock is to be deducted.</summary>
/// <param name="TotalAmount">Whole KRW.</param>
public sealed record OrderPlaced(string OrderId, string UserId, long TotalAmount, IReadOnlyList<OrderLine> Items)
{
    /// <summary>The message for the outbox.</summary>
    public OutboxMessage ToMessage() =>
        new(Topics.OrderPlaced, OrderId, IdOf(OrderId), JsonSerializer.SerializeToUtf8Bytes(this, OrderJson.Default.OrderPlaced));

    /// <summary>The id of all copies of an order's message, and the event id in the stock audit.</summary>
    public static string IdOf(string orderId) => "placed:" + orderId;

    /// <summary>Reads a message. False if it is malformed.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out OrderPlaced message)
    {
        try
        {
            message = JsonSerializer.Deserialize(bytes, OrderJson.Default.OrderPlaced)!;
            return message is { OrderId.Length: 36, UserId: not null, Items.Count: > 0 };
        }
        catch (JsonException)
        {
            message = null!;
            return false;
        }
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(OrderPlaced))]
sealed partial class OrderJson : JsonSerializerContext;
