using System.Text.Json;
using Commerce.Core.Messaging;
using Commerce.Core.Outbox;

namespace Commerce.Core.Orders;

/// <summary>
/// The message <c>ORDER_CHANGED</c>: an order is new or has changed. It contains the whole state, so a consumer needs only the latest
/// message.
/// </summary>
/// <param name="Sequence">Grows with each change of the order. A consumer ignores a message whose sequence is not above the last one
/// that it processed.</param>
/// <param name="Status">One of <see cref="OrderState"/>.</param>
/// <param name="TotalAmount">The amount to pay, in whole KRW.</param>
/// <param name="RefundedAmount">The refunded amount in whole KRW.</param>
/// <param name="Fulfilment">One of <see cref="FulfilmentState"/>, or null before the delivery begins.</param>
/// <param name="ChangedAt">The time of the change, by MySQL's clock.</param>
public sealed record OrderChanged(
    string OrderId, int Sequence, string Status, string UserId, long TotalAmount, long RefundedAmount, string? Fulfilment, string? TrackingNumber, DateTime ChangedAt)
{
    /// <summary>The columns of orders <c>o</c> and payments <c>p</c>, in the order and with the names of the record's members.</summary>
    public const string Columns = """
        o.id AS OrderId, o.changes AS Sequence, o.status AS Status, o.user_id AS UserId, o.total_amount AS TotalAmount,
        COALESCE(p.refunded_amount, 0) AS RefundedAmount, o.fulfilment AS Fulfilment, o.tracking_number AS TrackingNumber, UTC_TIMESTAMP(6) AS ChangedAt
        """;

    /// <summary>
    /// The version of the message format. A new version only adds properties, and a consumer ignores properties that it does not know.
    /// </summary>
    public int Version { get; init; } = 1;

    /// <summary>The message for the outbox.</summary>
    public OutboxMessage ToMessage() =>
        new(Topics.OrderChanged, OrderId, $"changed:{OrderId}:{Sequence}", JsonSerializer.SerializeToUtf8Bytes(this, OrderJson.Default.OrderChanged));
}
