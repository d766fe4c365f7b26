using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using Commerce.Api.Coupons;
using Commerce.Api.Orders;
using Commerce.Api.Payments;
using Commerce.Core.Coupons;
using Commerce.Core.Events;
using Commerce.Core.Orders;
using Commerce.Core.Outbox;
using Commerce.Core.Payments;
using Commerce.Core.WaitingRoom;
using Microsoft.OpenApi;

namespace Commerce.Api;

/// <summary>
/// The states in the OpenAPI document. In C# a state is a text with constants, and the framework describes it as any text. Here each
/// kind of state is one schema, and a client generator makes one enumeration of it.
/// </summary>
static class ContractStates
{
    static readonly State[] All =
    [
        new("OrderState", "The state of an order.", ConstantsOf(typeof(OrderState)),
            [(nameof(Order), nameof(Order.Status)), (nameof(OrderSummary), nameof(OrderSummary.Status)), (nameof(OrderDetail), nameof(OrderDetail.Status)),
                (nameof(OrderStatus), nameof(OrderStatus.Status)), (nameof(PlacedOrder), nameof(PlacedOrder.Status))],
            "ListAllOrders"),
        new("LineState", "The state of a line of an order.", ConstantsOf(typeof(LineState)), [(nameof(OrderLineDetail), nameof(OrderLineDetail.State))]),
        new("FulfilmentState", "The state of the delivery of a paid order.", ConstantsOf(typeof(FulfilmentState)),
            [(nameof(Order), nameof(Order.Fulfilment)), (nameof(OrderSummary), nameof(OrderSummary.Fulfilment)), (nameof(OrderDetail), nameof(OrderDetail.Fulfilment)),
                (nameof(FulfilmentRequest), nameof(FulfilmentRequest.State))]),
        new("PaymentState", "The state of a payment.", ConstantsOf(typeof(PaymentState)),
            [(nameof(Payment), nameof(Payment.Status)), (nameof(PaymentDetail), nameof(PaymentDetail.Status)), (nameof(PreparedPayment), nameof(PreparedPayment.Status)),
                (nameof(ApprovedPayment), nameof(ApprovedPayment.Status)), (nameof(RefundedPayment), nameof(RefundedPayment.Status))],
            "ListAllPayments"),
        new("AttemptState", "The state of a payment attempt.", ConstantsOf(typeof(AttemptState)), [(nameof(PaymentAttempt), nameof(PaymentAttempt.Status))]),
        new("RefundState", "The state of a refund.", ConstantsOf(typeof(RefundState)), [(nameof(Refund), nameof(Refund.Status))]),
        new("CouponState", "The state of a coupon.", ["ACTIVE", "WAITING", "CLOSED", "CANCELLED"], [(nameof(Coupon), nameof(Coupon.Status))]),
        new("CouponIssueState", "The state of one user's issue.", ConstantsOf(typeof(CouponIssueStatus)),
            [(nameof(CouponIssueStatus), nameof(CouponIssueStatus.Status)), (nameof(PendingIssue), nameof(PendingIssue.Status)), (nameof(OwnCoupon), nameof(OwnCoupon.Status))]),
        new("EventState", "The state of an event.", ConstantsOf(typeof(EventStatus)), [(nameof(SaleEvent), nameof(SaleEvent.Status))]),
        new("WaitingRoomState", "The state of a place in a waiting room.", ["WAITING", "ADMITTED"], [(nameof(WaitingRoomPlace), nameof(WaitingRoomPlace.Status))]),
        new("OutboxState", "The state of a message in the outbox.", ["PENDING", "SENT", "DEAD"], [(nameof(OutboxEntry), nameof(OutboxEntry.Status))], "ListOutboxMessages"),
        // Only Development has this request.
        new("Role", "The role of a user.", ["MEMBER", "ADMIN"], [("TokenRequest", "Role")]),
    ];

    /// <summary>Adds the schemas, and refers to them.</summary>
    public static void AddTo(OpenApiDocument document)
    {
        var schemas = document.Components!.Schemas!;
        foreach (var state in All)
        {
            foreach (var (owner, member) in state.Members)
            {
                if (!schemas.TryGetValue(owner, out var schema)) continue;
                var name = JsonNamingPolicy.CamelCase.ConvertName(member);
                schema.Properties![name] = Refer(state, schema.Properties[name], document);
            }

            if (state.Filter is null) continue;
            var operation = document.Paths.SelectMany(p => p.Value.Operations!.Values).Single(o => o.OperationId == state.Filter);
            ((OpenApiParameter)operation.Parameters!.Single(p => p.Name == "status")).Schema = new OpenApiSchemaReference(state.Name, document);
        }

        foreach (var state in All.Where(s => s.Members.Any(m => schemas.ContainsKey(m.Schema))))
            schemas[state.Name] = new OpenApiSchema { Type = JsonSchemaType.String, Description = state.Description, Enum = [.. state.Values.Select(v => (JsonNode)v)] };
    }

    static IOpenApiSchema Refer(State state, IOpenApiSchema text, OpenApiDocument document)
    {
        var reference = new OpenApiSchemaReference(state.Name, document) { Description = text.Description };
        return text.Type?.HasFlag(JsonSchemaType.Null) is true
            ? new OpenApiSchema { OneOf = [new OpenApiSchema { Type = JsonSchemaType.Null }, reference] }
            : reference;
    }

    static string[] ConstantsOf(Type type) =>
        [.. type.GetFields(BindingFlags.Public | BindingFlags.Static).Where(f => f is { IsLiteral: true, FieldType: var t } && t == typeof(string)).Select(f => (string)f.GetRawConstantValue()!)];

    /// <summary>A kind of state.</summary>
    /// <param name="Members">The members that have it.</param>
    /// <param name="Filter">The operation whose parameter <c>status</c> has it.</param>
    sealed record State(string Name, string Description, IReadOnlyList<string> Values, IReadOnlyList<(string Schema, string Member)> Members, string? Filter = null);
}
