using System.Text.Json;
using System.Text.Json.Serialization;
using Commerce.Api.Coupons;
using Commerce.Api.Events;
using Commerce.Api.Orders;
using Commerce.Api.Payments;
using Commerce.Api.Products;
using Commerce.Api.Reconciliation;
using Commerce.Api.WaitingRoom;
using Commerce.Core.Consistency;
using Commerce.Core.Coupons;
using Commerce.Core.Database;
using Commerce.Core.Events;
using Commerce.Core.Inventory;
using Commerce.Core.Live;
using Commerce.Core.Messaging;
using Commerce.Core.Orders;
using Commerce.Core.Outbox;
using Commerce.Core.Payments;
using Commerce.Core.WaitingRoom;

namespace Commerce.Api;

/// <summary>The source-generated JSON of the HTTP contract, in camelCase.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(ShopConfiguration))]
[JsonSerializable(typeof(IReadOnlyList<CouponSummary>))]
[JsonSerializable(typeof(IReadOnlyList<OwnCoupon>))]
[JsonSerializable(typeof(CouponIssueStatus))]
[JsonSerializable(typeof(PendingIssue))]
[JsonSerializable(typeof(CouponDefinition))]
[JsonSerializable(typeof(StockAddition))]
[JsonSerializable(typeof(Coupon))]
[JsonSerializable(typeof(IReadOnlyList<Coupon>))]
[JsonSerializable(typeof(IReadOnlyList<ProductSummary>))]
[JsonSerializable(typeof(ProductDefinition))]
[JsonSerializable(typeof(ProductChange))]
[JsonSerializable(typeof(Product))]
[JsonSerializable(typeof(IReadOnlyList<Product>))]
[JsonSerializable(typeof(StockAdjustment))]
[JsonSerializable(typeof(IReadOnlyList<StockChange>))]
[JsonSerializable(typeof(OrderRequest))]
[JsonSerializable(typeof(PlacedOrder))]
[JsonSerializable(typeof(OrderPage))]
[JsonSerializable(typeof(OrderDetail))]
[JsonSerializable(typeof(OrderStatus))]
[JsonSerializable(typeof(IReadOnlyList<Order>))]
[JsonSerializable(typeof(PrepareRequest))]
[JsonSerializable(typeof(PreparedPayment))]
[JsonSerializable(typeof(ApproveRequest))]
[JsonSerializable(typeof(ApprovedPayment))]
[JsonSerializable(typeof(RefundRequest))]
[JsonSerializable(typeof(RefundedPayment))]
[JsonSerializable(typeof(PaymentDetail))]
[JsonSerializable(typeof(IReadOnlyList<Payment>))]
[JsonSerializable(typeof(IReadOnlyList<Reconciled>))]
[JsonSerializable(typeof(IReadOnlyList<DeadLetter>))]
[JsonSerializable(typeof(IReadOnlyList<OutboxEntry>))]
[JsonSerializable(typeof(IReadOnlyList<SaleEvent>))]
[JsonSerializable(typeof(EventDefinition))]
[JsonSerializable(typeof(EventTimes))]
[JsonSerializable(typeof(TicketResponse))]
[JsonSerializable(typeof(OpenedData))]
[JsonSerializable(typeof(WaitingRoomPlace))]
[JsonSerializable(typeof(LeftWaitingRoom))]
[JsonSerializable(typeof(ConsistencyReport))]
[JsonSerializable(typeof(AnyOrder))]
[JsonSerializable(typeof(FulfilmentRequest))]
[JsonSerializable(typeof(CancelRequest))]
[JsonSerializable(typeof(IReadOnlyList<AdminAction>))]
[JsonSerializable(typeof(LiveSale))]
sealed partial class ApiJson : JsonSerializerContext
{
    public static void Configure(JsonSerializerOptions options) => options.TypeInfoResolverChain.Insert(0, Default);
}
