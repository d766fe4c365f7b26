using System.Net;
using Commerce.Core.Coupons;
using Commerce.Core.Orders;

namespace Commerce.Tests.Integration.Orders;

/// <summary>A coupon belongs to one order. It is reserved with the order, used by its payment, and otherwise free again.</summary>
public sealed class OrderCouponTests(CommerceStack stack) : PaymentStackTests(stack)
{
    [Fact]
    public async Task A_coupon_is_reserved_with_the_order_and_used_when_that_is_paid()
    {
        var (user, coupon, product) = await HaveCouponAsync("used");
        Assert.Equal((null, false), await CouponAsync(coupon));
        var order = await user.PlaceAsync(product.Id, couponId: coupon.Id);
        Assert.Equal((order.OrderId, false), await CouponAsync(coupon));
        var purchase = new Purchase(Stack.Sandbox, user, product, order);
        using (await purchase.PrepareAsync()) { }
        Assert.Equal((order.OrderId, false), await CouponAsync(coupon));

        await PayAsync(purchase, await purchase.AuthorizeAsync());

        Assert.Equal((order.OrderId, true), await CouponAsync(coupon));
        using var again = await user.OrderAsync([new(product.Id, 1)], coupon.Id);
        await again.ShouldBeProblemAsync(HttpStatusCode.Conflict, "coupon-not-usable");
        await CheckConsistencyAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_coupon_is_free_again_when_its_order_is_cancelled_or_expires(bool prepared)
    {
        var (user, coupon, product) = await HaveCouponAsync($"freed-{prepared}");
        foreach (var end in new[] { OrderState.Cancelled, OrderState.Expired })
        {
            var purchase = new Purchase(Stack.Sandbox, user, product, await user.PlaceAsync(product.Id, couponId: coupon.Id));
            if (prepared) using (await purchase.PrepareAsync()) { }
            Assert.Equal((purchase.OrderId, false), await CouponAsync(coupon));

            if (end == OrderState.Cancelled) using (await user.PostAsync($"/api/orders/{purchase.OrderId}/cancel", null)) { }
            else await HoldEndsAsync(purchase, -1);

            await Eventually.EqualAsync(end, () => OrderStatusAsync(purchase));
            Assert.Equal((null, false), await CouponAsync(coupon));
        }

        await user.PlaceAsync(product.Id, couponId: coupon.Id);
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task Of_several_orders_at_once_one_gets_the_coupon_and_the_others_hold_nothing()
    {
        var (user, coupon, product) = await HaveCouponAsync("wanted");

        var slugs = await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            using var answer = await user.OrderAsync([new(product.Id, 1)], coupon.Id);
            return await answer.SlugAsync();
        }));

        Assert.Single(slugs, slug => slug == "");
        Assert.All(slugs, slug => Assert.Contains(slug, new[] { "", "coupon-not-usable" }));
        await CheckConsistencyAsync();
        Assert.Equal(1, await Database.SingleAsync<int>("SELECT COUNT(*) FROM order_item WHERE product_id = @Id", product, Cancelled));
        Assert.Equal(9, await Stack.AvailableAsync(product.Id));
    }

    [Fact]
    public async Task A_coupon_that_was_given_a_moment_ago_is_among_ones_own_and_can_be_ordered_with_at_once()
    {
        var coupon = await Stack.CouponAsync(total: 5);
        var product = await Stack.ProductAsync(stock: 10, Price);
        foreach (var user in await Stack.UsersAsync($"at-once-{coupon.Id}", 5))
        {
            Assert.Equal("", await user.TakeAsync(coupon.Id));
            using var own = await user.GetAsync("/api/coupons/my");
            using var order = await user.OrderAsync([new(product.Id, 1)], coupon.Id);

            Assert.Equal(HttpStatusCode.Created, order.StatusCode);
            Assert.Equal(coupon.Id, (await own.Content.ReadFromJsonAsync<List<OwnCoupon>>(Cancelled))!.Single().CouponId);
        }

        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task While_the_row_of_a_coupon_is_on_its_way_an_order_is_told_to_come_again_and_then_taken()
    {
        var coupon = await Stack.CouponAsync(total: 5);
        var product = await Stack.ProductAsync(stock: 10, Price);
        var users = await Stack.UsersAsync($"on-its-way-{coupon.Id}", 2);
        await Stack.StopAsync("workers");
        try
        {
            Assert.Equal("", await users[0].TakeAsync(coupon.Id));
            using var pending = await users[0].OrderAsync([new(product.Id, 1)], coupon.Id, "coupon");
            using var none = await users[1].OrderAsync([new(product.Id, 1)], coupon.Id);
            using var own = await users[0].GetAsync("/api/coupons/my");

            await pending.ShouldBeProblemAsync(HttpStatusCode.Conflict, "coupon-pending");
            Assert.NotNull(pending.Headers.RetryAfter);
            await none.ShouldBeProblemAsync(HttpStatusCode.Conflict, "coupon-not-usable");
            Assert.Equal("PENDING", (await own.Content.ReadFromJsonAsync<List<OwnCoupon>>(Cancelled))!.Single().Status);
            Assert.Equal(10, await Stack.AvailableAsync(product.Id));
        }
        finally
        {
            await Stack.StartAsync("workers");
        }

        using var placed = await Eventually.GetAsync(() => users[0].OrderAsync([new(product.Id, 1)], coupon.Id, "coupon"), a => a.Headers.RetryAfter is null);
        Assert.Equal(HttpStatusCode.Created, placed.StatusCode);
        await CheckConsistencyAsync();
    }

    /// <summary>Creates a user with a coupon, and a product to order.</summary>
    async Task<(Shopper User, Coupon Coupon, Core.Inventory.Product Product)> HaveCouponAsync(string name)
    {
        var coupon = await Stack.CouponAsync(total: 1);
        var user = (await Stack.UsersAsync($"coupon-{name}", 1))[0];
        Assert.Equal("", await user.TakeAsync(coupon.Id));
        await Eventually.EqualAsync(1, () => Database.SingleAsync<int>("SELECT COUNT(*) FROM coupon_issue WHERE coupon_id = @Id", coupon, Cancelled));
        return (user, coupon, await Stack.ProductAsync(stock: 10, Price));
    }

    /// <summary>Returns the order with the coupon, and whether the coupon is used.</summary>
    async Task<(string? OrderId, bool Used)> CouponAsync(Coupon coupon)
    {
        var (orderId, used) = await Database.SingleAsync<(string?, long)>(
            "SELECT order_id, CAST(used_at IS NOT NULL AS SIGNED) FROM coupon_issue WHERE coupon_id = @Id", coupon, Cancelled);
        return (orderId, used == 1);
    }
}
