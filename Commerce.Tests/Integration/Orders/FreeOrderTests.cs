using System.Net;
using Commerce.Core.Coupons;
using Commerce.Core.Orders;
using Commerce.Core.Payments;

namespace Commerce.Tests.Integration.Orders;

/// <summary>An order of 0 won is paid by its coupon. The gateway does not know it.</summary>
public sealed class FreeOrderTests(CommerceStack stack) : PaymentStackTests(stack)
{
    [Fact]
    public async Task An_order_that_its_coupon_pays_is_paid_at_once_also_while_the_gateway_is_away()
    {
        var (user, coupon) = await HaveAsync("free");
        var product = await Stack.ProductAsync(stock: 10, Price);
        var key = Guid.NewGuid().ToString();
        await using var away = await Stack.Sandbox.WithFaultsAsync(new SandboxFault("drop"));

        using var answer = await user.OrderAsync([new(product.Id, 2)], coupon.Id, key);
        using var again = await user.OrderAsync([new(product.Id, 2)], coupon.Id, key);

        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        Assert.Equal(await answer.Content.ReadAsStringAsync(Cancelled), await again.Content.ReadAsStringAsync(Cancelled));
        var purchase = new Purchase(Stack.Sandbox, user, product, (await answer.Content.ReadFromJsonAsync<PlacedOrder>(Cancelled))!);
        Assert.Equal((OrderState.Paid, 0L), (purchase.Order.Status, purchase.Order.TotalAmount));
        // The stock of the order is deducted.
        await Eventually.EqualAsync(8, () => StockAsync(purchase));
        Assert.Equal(8L, await Stack.AvailableAsync(product.Id));
        var payment = await purchase.DetailAsync();
        Assert.Equal(
            (PaymentState.Paid, 0L, 0), (payment.GetProperty("status").GetString(), payment.GetProperty("amount").GetInt64(), payment.GetProperty("attempts").GetArrayLength()));
        Assert.Equal(1, await Database.SingleAsync<int>(
            "SELECT COUNT(*) FROM coupon_issue WHERE coupon_id = @Id AND order_id = @OrderId AND used_at IS NOT NULL", new { coupon.Id, purchase.OrderId }, Cancelled));
        Assert.Equal(1, await Database.SingleAsync<int>("SELECT COUNT(*) FROM orders WHERE user_id = @Id", user, Cancelled));
        await CheckConsistencyAsync();
        Assert.Empty(await Stack.Sandbox.LedgerAsync(purchase.OrderId));
    }

    [Fact]
    public async Task There_is_nothing_to_prepare_approve_or_cancel()
    {
        var purchase = await BuyAsync("no-payment");
        using var prepared = await purchase.PrepareAsync();
        using var approved = await purchase.SendApproveAsync("unknown-at-the-gateway");
        using var cancelled = await purchase.User.PostAsync($"/api/orders/{purchase.OrderId}/cancel", null);

        await prepared.ShouldBeProblemAsync(HttpStatusCode.Conflict, "order-not-payable");
        await approved.ShouldBeProblemAsync(HttpStatusCode.Conflict, "order-not-payable");
        await cancelled.ShouldBeProblemAsync(HttpStatusCode.Conflict, "order-not-cancellable");
        await CheckConsistencyAsync();
        Assert.Empty(await Stack.Sandbox.LedgerAsync(purchase.OrderId));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_refund_returns_the_stock_and_the_coupon_without_the_gateway(bool byAdministrator)
    {
        var purchase = await BuyAsync($"returned-{byAdministrator}");
        var coupon = await CouponOfAsync(purchase);
        await Eventually.EqualAsync(9, () => StockAsync(purchase));
        await using var away = await Stack.Sandbox.WithFaultsAsync(new SandboxFault("drop"));
        var key = Guid.NewGuid().ToString();

        var refunded = await RefundAsync();
        var again = await RefundAsync();

        Assert.Equal(refunded, again);
        Assert.Equal((PaymentState.Refunded, 0L), (refunded.Status, refunded.Amount));
        Assert.Equal((OrderState.Refunded, 10, 10L), (await OrderStatusAsync(purchase), await StockAsync(purchase), await Stack.AvailableAsync(purchase.Product.Id)));
        Assert.Equal("not-refundable", await purchase.RefundAsync(0));
        await CheckConsistencyAsync();
        // The coupon pays another order.
        Assert.Equal(OrderState.Paid, (await purchase.User.PlaceAsync(purchase.Product.Id, couponId: coupon)).Status);
        await CheckConsistencyAsync();
        Assert.Empty(await Stack.Sandbox.LedgerAsync(purchase.OrderId));

        async Task<RefundedPayment> RefundAsync()
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, $"/api/admin/orders/{purchase.OrderId}/refund") { Content = JsonContent.Create(new { amount = 0, reason = "returned" }) };
            request.Headers.Add("Idempotency-Key", key);
            using var answer = byAdministrator
                ? await Stack.Admin.SendAsync(request, Cancelled)
                : await purchase.User.PostAsync($"/api/payments/{purchase.OrderId}/refund", new { amount = 0, reason = "returned" }, key);
            Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Cancelled));
            return (await answer.Content.ReadFromJsonAsync<RefundedPayment>(Cancelled))!;
        }
    }

    [Fact]
    public async Task Only_the_whole_order_is_refunded_and_only_an_order_of_0_won_by_the_amount_0()
    {
        var purchase = await BuyAsync("whole");
        using var byLine = await purchase.User.PostAsync(
            $"/api/payments/{purchase.OrderId}/refund", new { reason = "one", lines = new[] { new { productId = purchase.Product.Id, quantity = 1 } } });
        await byLine.ShouldBeProblemAsync(HttpStatusCode.Conflict, "not-refundable");
        Assert.Equal("not-refundable", await purchase.RefundAsync(1));

        Assert.Equal("not-refundable", await (await PayAsync("not-free")).RefundAsync(0));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task Of_ten_refunds_at_once_one_is_made()
    {
        var purchase = await BuyAsync("refunds-at-once");
        await Eventually.EqualAsync(9, () => StockAsync(purchase));

        var told = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => purchase.RefundAsync(0)));

        Assert.Single(told, t => t == PaymentState.Refunded);
        Assert.All(told, t => Assert.Contains(t, new[] { PaymentState.Refunded, "not-refundable", "payment-in-progress" }));
        await CheckConsistencyAsync();
        Assert.Equal(10, await StockAsync(purchase));
    }

    [Fact]
    public async Task Of_several_orders_at_once_the_coupon_pays_one_and_the_others_hold_nothing()
    {
        var (user, coupon) = await HaveAsync("free-at-once");
        var product = await Stack.ProductAsync(stock: 20, Price);

        var slugs = await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            using var answer = await user.OrderAsync([new(product.Id, 1)], coupon.Id);
            return await answer.SlugAsync();
        }));

        Assert.Single(slugs, slug => slug == "");
        Assert.Equal(7, slugs.Count(slug => slug == "coupon-not-usable"));
        await CheckConsistencyAsync();
        Assert.Equal(19L, await Stack.AvailableAsync(product.Id));
    }

    /// <summary>Places an order of one unit that its coupon pays.</summary>
    async Task<Purchase> BuyAsync(string name)
    {
        var (user, coupon) = await HaveAsync(name);
        var product = await Stack.ProductAsync(stock: 10, Price);
        return new(Stack.Sandbox, user, product, await user.PlaceAsync(product.Id, couponId: coupon.Id));
    }

    async Task<(Shopper User, Coupon Coupon)> HaveAsync(string name)
    {
        var user = (await Stack.UsersAsync($"free-{name}", 1))[0];
        var coupon = await Stack.CouponAsync(total: 1, change: d => d with { Discount = 10 * Price });
        Assert.Equal("", await user.TakeAsync(coupon.Id));
        await Eventually.EqualAsync(1, () => Database.SingleAsync<int>("SELECT COUNT(*) FROM coupon_issue WHERE coupon_id = @Id", coupon, Cancelled));
        return (user, coupon);
    }

    Task<long?> CouponOfAsync(Purchase purchase) => Database.SingleAsync<long?>("SELECT coupon_id FROM orders WHERE id = @OrderId", new { purchase.OrderId }, Cancelled);
}
