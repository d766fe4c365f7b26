using Commerce.Api.Coupons;
using Commerce.Api.Orders;
using Commerce.Api.Payments;
using Commerce.Api.Products;
using Commerce.Core.Coupons;
using Commerce.Core.Events;
using Commerce.Core.Inventory;
using Commerce.Core.Orders;

namespace Commerce.Api;

/// <summary>An example of each request body, for the OpenAPI document.</summary>
static class ContractExamples
{
    const string OrderId = "01997d2c-5b00-7c33-9f6e-3d3f0a4c1b2e";

    public static IReadOnlyDictionary<Type, string> All { get; } = new Dictionary<Type, string>
    {
        [typeof(OrderRequest)] = """
            {"items":[{"productId":3,"quantity":2}],"shipping":{"recipient":"Hong Gildong","phone":"010-1234-5678","zipcode":"04524",
            "address1":"110 Sejong-daero, Jung-gu, Seoul","address2":"3F"},"couponId":null}
            """,
        [typeof(PrepareRequest)] = $$"""{"orderId":"{{OrderId}}","amount":548000}""",
        [typeof(ApproveRequest)] = $$"""{"orderId":"{{OrderId}}","pgPaymentId":"20280101NP1000000001"}""",
        [typeof(RefundRequest)] = """{"reason":"Changed my mind","lines":[{"productId":3,"quantity":1}]}""",
        [typeof(FulfilmentRequest)] = """{"state":"SHIPPED","trackingNumber":"6896724195"}""",
        [typeof(CancelRequest)] = """{"reason":"Asked by telephone"}""",
        [typeof(ProductDefinition)] = """{"name":"Keyboard","price":59000,"stock":100,"onSale":true,"maxPerCustomer":2}""",
        [typeof(ProductChange)] = """{"name":"Keyboard","price":49000,"onSale":true,"maxPerCustomer":null}""",
        [typeof(StockAdjustment)] = """{"delta":50,"reason":"Delivery"}""",
        [typeof(CouponDefinition)] = """
            {"name":"Flash sale: 10% off","discount":30000,"totalQuantity":100,"startsAt":"2028-01-01T10:00:00+09:00","endsAt":"2028-02-01T00:00:00+09:00",
            "percent":10,"minOrderAmount":50000,"validFrom":null,"validUntil":"2028-03-01T00:00:00+09:00","productIds":[3,4],"eventIds":null}
            """,
        [typeof(StockAddition)] = """{"delta":50}""",
        [typeof(EventDefinition)] = """
            {"name":"Midnight sale","opensAt":"2028-01-01T00:00:00+09:00","closesAt":"2028-01-02T00:00:00+09:00","couponIds":[2],"productIds":[3],
            "waitingRoomRate":100,"maxPerCustomer":2}
            """,
        [typeof(EventTimes)] = """{"opensAt":"2028-01-01T00:00:00+09:00","closesAt":null}""",
    };
}
