using System.Text.Json;
using Commerce.Core.Messaging;
using Commerce.Core.Payments;
using Confluent.Kafka;

namespace Commerce.Tests.Faults.Orders;

/// <summary>Tests the messages that other systems receive if <c>Orders:PublishChanges</c> is set.</summary>
public sealed class OrderChangeTests(OrderChangeTests.Publishing publishing) : PurchaseCost(publishing.Stack), IClassFixture<OrderChangeTests.Publishing>
{
    /// <inheritdoc/>
    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        await Stack.CreateTopicAsync(Topics.OrderChanged);
    }

    [Fact]
    public async Task Every_change_of_an_order_is_told_once_and_in_its_order()
    {
        using var topic = new TopicTail(Stack, Topics.OrderChanged);

        var sold = await PrepareAsync("told-sold");
        using (var again = await sold.PrepareAsync()) Assert.True(again.IsSuccessStatusCode);
        await PayAsync(sold, await sold.AuthorizeAsync());
        await ShouldBePaidAsync(sold);
        foreach (var (state, number) in new[] { ("PREPARING", null), ("SHIPPED", "11"), ("SHIPPED", "12"), ("DELIVERED", (string?)null) })
            for (var i = 0; i < 2; i++)
                using (var stepped = await Stack.Admin.PostAsJsonAsync($"/api/admin/orders/{sold.OrderId}/fulfilment", new { state, trackingNumber = number }, Cancelled))
                    Assert.True(stepped.IsSuccessStatusCode, await stepped.Content.ReadAsStringAsync(Cancelled));
        Assert.Equal(PaymentState.PartiallyRefunded, await sold.RefundedAsync(1_000));
        await Stack.Sandbox.GiveBackAsync(sold.OrderId, 500);
        Assert.Equal(PaymentState.Refunded, await sold.RefundedAsync(Price - 1_500));

        var cancelled = await OrderAsync("told-cancelled");
        for (var i = 0; i < 2; i++)
            using (var answer = await cancelled.User.PostAsync($"/api/orders/{cancelled.OrderId}/cancel", null)) Assert.True(answer.IsSuccessStatusCode);
        var expired = await OrderAsync("told-expired");
        await HoldEndsAsync(expired, 0);

        Assert.Equal(
            [
                "1 CREATED", "2 PENDING_PAYMENT", "3 PAID", "4 PAID PREPARING", "5 PAID SHIPPED 11", "6 PAID SHIPPED 12", "7 PAID DELIVERED 12",
                "8 PAID DELIVERED 12 -1000", "9 PAID DELIVERED 12 -1500", "10 REFUNDED DELIVERED 12 -12000",
            ], Told(topic, sold, 10));
        Assert.Equal(["1 CREATED", "2 CANCELLED"], Told(topic, cancelled, 2));
        Assert.Equal(["1 CREATED", "2 EXPIRED"], Told(topic, expired, 2));
        var first = topic.Await(14)[0];
        Assert.Equal($"changed:{sold.OrderId}:1", MessageId.Of(first.Message.Headers));
        var message = Content(first);
        Assert.Equal(
            (1, sold.OrderId, sold.User.Id, Price, 0),
            (message.GetProperty("version").GetInt32(), message.GetProperty("orderId").GetString(), message.GetProperty("userId").GetString(),
                message.GetProperty("totalAmount").GetInt64(), message.GetProperty("refundedAmount").GetInt64()));
        Assert.Equal(DateTimeKind.Utc, message.GetProperty("changedAt").GetDateTime().Kind);
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task An_order_without_stock_is_told_of_until_its_money_is_back()
    {
        using var topic = new TopicTail(Stack, Topics.OrderChanged);
        var purchase = await PrepareAsync("told-shortfall");
        await Database.ExecuteAsync("""
            UPDATE product SET stock = 0 WHERE id = @Id;
            INSERT INTO product_stock_audit (product_id, event_id, delta, reason) VALUES (@Id, @test, -10, 'test')
            """, new { purchase.Product.Id, test = $"test:{purchase.OrderId}" }, Cancelled);

        Assert.Contains(await purchase.ApproveAsync(await purchase.AuthorizeAsync()), new[] { PaymentState.Paid, PaymentState.Settling });

        Assert.Equal(["1 CREATED", "2 PENDING_PAYMENT", "3 PAID", "4 REFUNDING", "5 REFUNDED -12000"], Told(topic, purchase, 5));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task Units_that_are_refunded_are_told_with_what_was_paid_for_them()
    {
        using var topic = new TopicTail(Stack, Topics.OrderChanged);
        var product = await Stack.ProductAsync(stock: 10, Price);
        var user = (await Stack.UsersAsync("told-units", 1))[0];
        var purchase = new Purchase(Stack.Sandbox, user, product, await user.PlaceAsync(product.Id, quantity: 3));
        using (var prepared = await purchase.PrepareAsync()) Assert.True(prepared.IsSuccessStatusCode, await prepared.Content.ReadAsStringAsync(Cancelled));
        await PayAsync(purchase, await purchase.AuthorizeAsync());
        await Eventually.EqualAsync(7, () => StockAsync(purchase));

        foreach (var quantity in new[] { 1, 2 })
            using (var refunded = await user.PostAsync($"/api/payments/{purchase.OrderId}/refund", new { lines = new[] { new { productId = product.Id, quantity } }, reason = "units" }))
                Assert.True(refunded.IsSuccessStatusCode, await refunded.Content.ReadAsStringAsync(Cancelled));

        Assert.Equal(["1 CREATED", "2 PENDING_PAYMENT", "3 PAID", "4 PAID -12000", "5 REFUNDED -36000"], Told(topic, purchase, 5));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task An_order_of_0_won_is_told_of_as_paid_and_as_refunded()
    {
        using var topic = new TopicTail(Stack, Topics.OrderChanged);
        var coupon = await Stack.CouponAsync(total: 1, change: d => d with { Discount = Price });
        var product = await Stack.ProductAsync(stock: 10, Price);
        var user = (await Stack.UsersAsync("told-free", 1))[0];
        Assert.Equal("", await user.TakeAsync(coupon.Id));
        var purchase = new Purchase(Stack.Sandbox, user, product, await user.PlaceAsync(product.Id, couponId: coupon.Id));
        await Eventually.EqualAsync(9, () => StockAsync(purchase));

        Assert.Equal(PaymentState.Refunded, await purchase.RefundAsync(0));
        Assert.Equal("not-refundable", await purchase.RefundAsync(0));

        Assert.Equal(["1 PAID", "2 REFUNDED"], Told(topic, purchase, 2));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task Changes_during_an_outage_of_the_brokers_are_told_afterwards_once_and_in_order()
    {
        const int Users = 20;
        using var topic = new TopicTail(Stack, Topics.OrderChanged);
        var product = await Stack.ProductAsync(stock: Users, Price);
        var users = await Stack.UsersAsync("told-outage", Users);

        await Stack.BrokerAwayAsync();
        var purchases = await Task.WhenAll(users.Select(async user =>
        {
            var purchase = new Purchase(Stack.Sandbox, user, product, await user.PlaceAsync(product.Id));
            using (var prepared = await purchase.PrepareAsync()) Assert.True(prepared.IsSuccessStatusCode, await prepared.Content.ReadAsStringAsync());
            await PayAsync(purchase, await purchase.AuthorizeAsync());
            return purchase;
        }));
        await Stack.BrokerBackAsync();

        // A message whose acknowledgement was lost arrives again, with the same sequence.
        Assert.All(purchases, purchase => Assert.Equal(["1 CREATED", "2 PENDING_PAYMENT", "3 PAID"], Told(topic, purchase, 3).Distinct()));
        await CheckConsistencyAsync();
    }

    [Fact]
    public Task A_purchase_that_is_told_of_costs_no_more_than_another_may() => CheckCostAsync();

    /// <summary>Returns the published changes of an order after the message with this sequence has arrived.</summary>
    static List<string> Told(TopicTail topic, Purchase purchase, int last)
    {
        for (var all = last; ; all++)
        {
            var own = topic.Await(all).Where(m => m.Message.Key == purchase.OrderId).ToList();
            if (own.Exists(m => Content(m).GetProperty("sequence").GetInt32() == last)) return own.ConvertAll(Describe);
        }
    }

    static string Describe(ConsumeResult<string?, byte[]?> result)
    {
        var message = Content(result);
        var refunded = message.GetProperty("refundedAmount").GetInt64();
        return string.Join(' ', new object?[]
        {
            message.GetProperty("sequence"), message.GetProperty("status"), message.GetProperty("fulfilment"), message.GetProperty("trackingNumber"),
            refunded > 0 ? -refunded : null,
        }.Select(part => $"{part}").Where(part => part != ""));
    }

    static JsonElement Content(ConsumeResult<string?, byte[]?> result) => JsonSerializer.Deserialize<JsonElement>(result.Message.Value);

    /// <summary>A stack that publishes changes.</summary>
    public sealed class Publishing : IAsyncDisposable
    {
        internal CommerceStack Stack { get; } = new() { Settings = new Dictionary<string, string> { ["Orders__PublishChanges"] = "true" } };

        /// <inheritdoc/>
        public ValueTask DisposeAsync() => Stack.DisposeAsync();
    }
}
