using System.Text.Json;
using System.Text.Json.Serialization;
using Commerce.Api.Coupons;
using Commerce.Api.Products;
using Commerce.Core.Auditing;
using Commerce.Core.Coupons;
using Commerce.Core.Messaging;

namespace Commerce.Api;

/// <summary>The JSON of the HTTP contract: camelCase, source generated.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(IReadOnlyList<CouponSummary>))]
[JsonSerializable(typeof(IReadOnlyList<OwnCoupon>))]
[JsonSerializable(typeof(CouponIssueStatus))]
[JsonSerializable(typeof(CouponDefinition))]
[JsonSerializable(typeof(StockAddition))]
[JsonSerializable(typeof(Coupon))]
[JsonSerializable(typeof(IReadOnlyList<ProductSummary>))]
[JsonSerializable(typeof(IReadOnlyList<DeadLetter>))]
[JsonSerializable(typeof(AuditReport))]
sealed partial class ApiJson : JsonSerializerContext
{
    public static void Configure(JsonSerializerOptions options) => options.TypeInfoResolverChain.Insert(0, Default);
}
