using System.Net;
using System.Text.Json;
using Commerce.Core.Coupons;
using Commerce.Core.Inventory;
using Commerce.Core.Orders;
using Commerce.Core.Payments;

namespace Commerce.Tests.Integration.Orders;

/// <summary>Tests the terms under which an order can use a coupon, and the discount.</summary>
public sealed class CouponTermsTests(CommerceStack stack) : PaymentStackTests(stack)
{
    [Fact]
    public async Task A_coupon_is_used_within_its_validity_whenever_it_was_issued()
    {
        var now = TimeProvider.System.GetUtcNow();
        var product = await Stack.ProductAsync(stock: 10, Price);
        var (user, early) = await HaveAsync("early", d => d with { ValidFrom = now.AddHours(1), ValidUntil = now.AddHours(2) });
        var late = await HaveAsync(user, d => d with { StartsAt = now.AddDays(-2), ValidUntil = now.AddMinutes(-1) });
        var valid = await HaveAsync(user, d => d with { ValidFrom = now.AddHours(-1), ValidUntil = now.AddHours(2) });
        // The issue window has ended, but the coupon can be used.
        await ChangeAsync(valid, d => d with { StartsAt = now.AddDays(-2), EndsAt = now.AddHours(-1) });

        using (var refused = await user.OrderAsync([new(product.Id, 1)], early.Id)) await refused.ShouldBeProblemAsync(HttpStatusCode.Conflict, "coupon-not-valid-yet");
        using (var refused = await user.OrderAsync([new(product.Id, 1)], late.Id)) await refused.ShouldBeProblemAsync(HttpStatusCode.Conflict, "coupon-expired");
        Assert.Equal(Price - 1_000, (await user.PlaceAsync(product.Id, couponId: valid.Id)).TotalAmount);

        // The refused orders held nothing, and their coupons are free.
        Assert.Equal(9L, await Stack.AvailableAsync(product.Id));
        await ChangeAsync(early, d => d with { ValidFrom = now.AddHours(-1) });
        Assert.Equal(Price - 1_000, (await user.PlaceAsync(product.Id, couponId: early.Id)).TotalAmount);
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task An_order_must_have_the_minimum_amount_before_the_discount()
    {
        var product = await Stack.ProductAsync(stock: 10, price: 5_000);
        var (user, coupon) = await HaveAsync("minimum", d => d with { MinOrderAmount = 10_000 });

        using (var below = await user.OrderAsync([new(product.Id, 1)], coupon.Id))
        {
            await below.ShouldBeProblemAsync(HttpStatusCode.Conflict, "coupon-below-minimum");
            var detail = (await below.Content.ReadFromJsonAsync<JsonElement>(Cancelled)).GetProperty("detail").GetString();
            Assert.Equal("The coupon needs products for 10000 won, and the order has 5000 won. Add products that it applies to, or order without the coupon.", detail);
        }

        Assert.Equal(9_000, (await user.PlaceAsync(product.Id, 2, coupon.Id)).TotalAmount);
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task Of_several_orders_at_once_with_a_minimum_one_gets_the_coupon()
    {
        var product = await Stack.ProductAsync(stock: 50, price: 5_000);
        var (user, coupon) = await HaveAsync("minimum-at-once", d => d with { MinOrderAmount = 10_000 });

        var told = await Task.WhenAll(Enumerable.Range(0, 9).Select(async i =>
        {
            using var answer = await user.OrderAsync([new(product.Id, 1 + (i % 3))], coupon.Id);
            return (Quantity: 1 + (i % 3), Slug: await answer.SlugAsync());
        }));

        Assert.InRange(Assert.Single(told, t => t.Slug == "").Quantity, 2, 3);
        Assert.All(told, t => Assert.Contains(t.Slug, t.Quantity == 1 ? ["coupon-below-minimum", "coupon-not-usable"] : new[] { "", "coupon-not-usable" }));
        await CheckConsistencyAsync();
        Assert.Equal(1, await Database.SingleAsync<int>("SELECT COUNT(*) FROM orders WHERE coupon_id = @Id", coupon, Cancelled));
    }

    [Theory]
    // The discount is rounded down, capped, never more than the products cost, or a fixed amount.
    [InlineData(15, 1_000_000, 3_333, 3_333 - 499)]
    [InlineData(50, 1_000, 12_000, 11_000)]
    [InlineData(100, 1_000_000, 12_000, 0)]
    [InlineData(null, 3_000, 12_000, 9_000)]
    public async Task A_coupon_takes_off_a_percentage_up_to_its_cap_or_a_fixed_amount(int? percent, long discount, long price, long total)
    {
        var product = await Stack.ProductAsync(stock: 10, price);
        var (user, coupon) = await HaveAsync($"percent-{percent}-{discount}", d => d with { Percent = percent, Discount = discount });

        var order = await user.PlaceAsync(product.Id, couponId: coupon.Id);

        Assert.Equal(total, order.TotalAmount);
        var detail = await DetailAsync(user, order.OrderId);
        Assert.Equal((price - total, total), (detail.GetProperty("discount").GetInt64(), detail.GetProperty("totalAmount").GetInt64()));
        // A later change of the coupon does not affect the order.
        await ChangeAsync(coupon, d => d with { Percent = 1, Discount = 1 });
        Assert.Equal(total, (await DetailAsync(user, order.OrderId)).GetProperty("totalAmount").GetInt64());
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_coupon_that_would_take_off_nothing_is_not_used_up()
    {
        var product = await Stack.ProductAsync(stock: 10, price: 150);
        var (user, coupon) = await HaveAsync("nothing-off", d => d with { Percent = 1, Discount = 1, MinOrderAmount = null });
        using (var one = await user.OrderAsync([new(product.Id, 1)], coupon.Id)) Assert.Equal(HttpStatusCode.Created, one.StatusCode);
        var cheap = await Stack.ProductAsync(stock: 10, price: 99);
        var another = await HaveAsync(user, d => d with { Percent = 1, ProductIds = [cheap.Id] });

        using var refused = await user.OrderAsync([new(cheap.Id, 1), new(product.Id, 1)], another.Id);

        await refused.ShouldBeProblemAsync(HttpStatusCode.Conflict, "coupon-not-usable");
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_coupon_for_products_and_events_applies_to_them_alone()
    {
        var (named, offered, other) = (await Stack.ProductAsync(stock: 10, price: 3_000), await Stack.ProductAsync(stock: 10, price: 2_000), await Stack.ProductAsync(stock: 10, price: 9_000));
        var sale = await Stack.EventAsync(opensIn: 3600, productIds: [offered.Id]);
        var (user, coupon) = await HaveAsync("restricted", d => d with
        {
            Percent = 50, Discount = 100_000, MinOrderAmount = 5_000, ProductIds = [named.Id], EventIds = [sale.Id],
        });

        using (var none = await user.OrderAsync([new(other.Id, 1)], coupon.Id)) await none.ShouldBeProblemAsync(HttpStatusCode.Conflict, "coupon-not-applicable");
        // Only products that the coupon applies to count for the minimum.
        using (var below = await user.OrderAsync([new(named.Id, 1), new(other.Id, 1)], coupon.Id)) await below.ShouldBeProblemAsync(HttpStatusCode.Conflict, "coupon-below-minimum");
        var order = await user.PlaceAsync([new(named.Id, 1), new(offered.Id, 1), new(other.Id, 1)], coupon.Id);

        Assert.Equal(3_000 + 2_000 + 9_000 - 2_500, order.TotalAmount);
        Assert.Equal(
            new Dictionary<long, long> { [named.Id] = 1_500, [offered.Id] = 1_000, [other.Id] = 9_000 },
            (await DetailAsync(user, order.OrderId)).GetProperty("items").EnumerateArray().ToDictionary(i => i.GetProperty("productId").GetInt64(), i => i.GetProperty("amount").GetInt64()));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_refund_by_line_gets_the_share_of_the_discount_of_the_lines_that_the_coupon_applied_to()
    {
        var (named, other) = (await Stack.ProductAsync(stock: 10, price: 3_333), await Stack.ProductAsync(stock: 10, price: 7_000));
        var (user, coupon) = await HaveAsync("restricted-refund", d => d with { ProductIds = [named.Id] });
        var purchase = new Purchase(Stack.Sandbox, user, named, await user.PlaceAsync([new(named.Id, 3), new(other.Id, 1)], coupon.Id));
        using (await purchase.PrepareAsync()) { }
        await PayAsync(purchase, await purchase.AuthorizeAsync());
        await CheckConsistencyAsync();
        // The current products of the coupon make no difference.
        await ChangeAsync(coupon, d => d with { ProductIds = [other.Id] });

        Assert.Equal(7_000, await RefundAsync(other));
        var units = new[] { await RefundAsync(named), await RefundAsync(named), await RefundAsync(named) };

        Assert.Equal((3 * 3_333) - 1_000, units.Sum());
        Assert.Equal(OrderState.Refunded, await OrderStatusAsync(purchase));
        await CheckConsistencyAsync();

        async Task<long> RefundAsync(Product product)
        {
            using var answer = await user.PostAsync($"/api/payments/{purchase.OrderId}/refund", new { reason = "one", lines = new[] { new RefundLine(product.Id, 1) } });
            Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Cancelled));
            return (await answer.Content.ReadFromJsonAsync<RefundedPayment>(Cancelled))!.Amount;
        }
    }

    [Theory]
    [InlineData(99, null, "order-below-minimum")]
    [InlineData(100, null, "")]
    [InlineData(1_099, 1_000L, "order-below-minimum")]
    [InlineData(1_100, 1_000L, "")]
    [InlineData(1_000, 1_000L, "")]
    public async Task An_order_that_costs_less_than_the_gateway_takes_is_refused_with_advice_unless_it_costs_nothing(long price, long? discount, string slug)
    {
        var product = await Stack.ProductAsync(stock: 10, price);
        var (user, coupon) = await HaveAsync($"least-{price}-{discount}", d => d with { Discount = discount ?? 1 });

        using var answer = await user.OrderAsync([new(product.Id, 1)], discount is null ? null : coupon.Id);

        Assert.Equal(slug, await answer.SlugAsync());
        if (slug.Length > 0)
        {
            var detail = (await answer.Content.ReadFromJsonAsync<JsonElement>(Cancelled)).GetProperty("detail").GetString();
            Assert.Equal($"The order would cost 99 won, and the least that can be paid is 100 won. Add products{(discount is null ? "" : ", or order without the coupon")}.", detail);
            Assert.Equal(10L, await Stack.AvailableAsync(product.Id));
        }

        await CheckConsistencyAsync();
    }

    /// <summary>Creates a user with a coupon.</summary>
    async Task<(Shopper User, Coupon Coupon)> HaveAsync(string name, Func<CouponDefinition, CouponDefinition> change)
    {
        var user = (await Stack.UsersAsync($"terms-{name}", 1))[0];
        return (user, await HaveAsync(user, change));
    }

    async Task<Coupon> HaveAsync(Shopper user, Func<CouponDefinition, CouponDefinition> change)
    {
        var coupon = await Stack.CouponAsync(total: 1, change: change);
        Assert.Equal("", await user.TakeAsync(coupon.Id));
        await Eventually.EqualAsync(1, () => Database.SingleAsync<int>("SELECT COUNT(*) FROM coupon_issue WHERE coupon_id = @Id", coupon, Cancelled));
        return coupon;
    }

    async Task ChangeAsync(Coupon coupon, Func<CouponDefinition, CouponDefinition> change)
    {
        using var answer = await Stack.Admin.PutAsJsonAsync($"/api/admin/coupons/{coupon.Id}", change(coupon.Definition()), Cancelled);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Cancelled));
    }

    static async Task<JsonElement> DetailAsync(Shopper user, string orderId)
    {
        using var answer = await user.GetAsync($"/api/orders/{orderId}");
        return await answer.Content.ReadFromJsonAsync<JsonElement>(Cancelled);
    }
}
