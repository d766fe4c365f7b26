using System.Text.Json;
using System.Text.Json.Serialization;
using Commerce.Core.Messaging;
using Commerce.Core.Outbox;

namespace Commerce.Core.Orders;

/// <summary>The message <c>ORDER_PLACED</c>: an order is paid, and its pieces are to be taken off the stock.</summary>
/// <param name="TotalAmount">Whole KRW.</param>
public sealed record OrderPlaced(string OrderId, string UserId, long TotalAmount, IReadOnlyList<OrderLine> Items)
{
    /// <summary>The message for the outbox.</summary>
    public OutboxMessage ToMessage() =>
        new(Topics.OrderPlaced, OrderId, IdOf(OrderId), JsonSerializer.SerializeToUtf8Bytes(this, OrderJson.Default.OrderPlaced));

    /// <summary>The id that every copy of an order's message has, and the event in the stock's audit.</summary>
    public static string IdOf(string orderId) => "placed:" + orderId;

    /// <summary>Reads a message; false where it is not one.</summary>
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

/// <summary>So many pieces of a product.</summary>
public sealed record OrderLine(long ProductId, int Quantity);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(OrderPlaced))]
sealed partial class OrderJson : JsonSerializerContext;
