using System.Text.Json;
using System.Text.Json.Serialization;
using Commerce.Core.Inventory;
using Commerce.Core.Messaging;
using Commerce.Core.Outbox;

namespace Commerce.Core.Orders;

/// <summary>The message <c>ORDER_PLACED</c>: an order is paid. Its consumer deducts the stock.</summary>
/// <param name="TotalAmount">Whole KRW.</param>
public sealed record OrderPlaced(string OrderId, string UserId, long TotalAmount, IReadOnlyList<OrderLine> Items)
{
    /// <summary>The message for the outbox.</summary>
    public OutboxMessage ToMessage() =>
        new(Topics.OrderPlaced, OrderId, IdOf(OrderId), JsonSerializer.SerializeToUtf8Bytes(this, OrderJson.Default.OrderPlaced));

    /// <summary>The message id that all copies of an order's message share. It is also the event id in the stock audit.</summary>
    public static string IdOf(string orderId) => "placed:" + orderId;

    /// <summary>Reads a message. Returns null if it is valid, otherwise one of <see cref="DeadLetterReasons"/>.</summary>
    public static string? Read(byte[]? value, out OrderPlaced message) =>
        MessageJson.Read(value, OrderJson.Default.OrderPlaced, m => m is { OrderId.Length: 36, UserId: not null, Items.Count: > 0 }, out message);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(OrderPlaced))]
[JsonSerializable(typeof(OrderChanged))]
sealed partial class OrderJson : JsonSerializerContext;
