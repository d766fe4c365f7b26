using System.Net;
using System.Text.Json;
using Commerce.Core.Database;
using Commerce.Core.Inventory;
using Commerce.Core.Orders;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Integration.Orders;

/// <summary>Orders hold all of their lines or none.</summary>
public sealed class OrderTests(CommerceStack stack) : StackTests(stack)
{
    [Fact]
    public async Task As_many_orders_as_there_are_pieces_however_many_press_at_once()
    {
        var product = await Stack.ProductAsync(stock: 60);
        var users = await Stack.UsersAsync("rush", 200);

        var answers = await Task.WhenAll(users.Select(async user =>
        {
            using var answer = await user.OrderAsync([new(product.Id, 1)]);
            return await answer.SlugAsync();
        }));

        Assert.All(answers, a => Assert.Contains(a, new[] { "", "out-of-stock" }));
        // A lost response holds stock until it is detected. Then another user gets the stock.
        var orders = answers.Count(a => a.Length == 0);
        foreach (var user in users.Zip(answers).Where(a => a.Second.Length > 0).Select(a => a.First).Take(60 - orders))
            await Eventually.EqualAsync("", async () => await (await user.OrderAsync([new(product.Id, 1)])).SlugAsync());
        Assert.Equal(60, await Stack.Services.GetRequiredService<MySqlDatabase>().SingleAsync<int>(
            "SELECT COUNT(*) FROM order_item WHERE product_id = @Id", new { product.Id }, Cancelled));
        await Eventually.EqualAsync(0L, () => Stack.AvailableAsync(product.Id));
    }

    [Fact]
    public async Task F12_When_the_last_product_is_sold_out_nothing_is_held()
    {
        var plenty = await Stack.ProductAsync(stock: 10);
        var few = await Stack.ProductAsync(stock: 1);
        var user = (await Stack.UsersAsync("f12", 1))[0];

        using var answer = await user.OrderAsync([new(plenty.Id, 3), new(few.Id, 2)]);

        await answer.ShouldBeProblemAsync(HttpStatusCode.Conflict, "out-of-stock");
        // The stock must be correct at once, because the reconciler would release orphaned stock later.
        Assert.Equal([10, 1], await InGateAsync(plenty.Id, few.Id));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task An_order_that_costs_more_than_the_gateway_takes_is_refused_with_advice_and_nothing_is_held()
    {
        var product = await Stack.ProductAsync(stock: 10, price: 500_000_000);
        var user = (await Stack.UsersAsync("most", 1))[0];

        using var most = await user.OrderAsync([new(product.Id, 2)]);
        using var more = await user.OrderAsync([new(product.Id, 3)]);

        Assert.Equal(HttpStatusCode.Created, most.StatusCode);
        await more.ShouldBeProblemAsync(HttpStatusCode.Conflict, "order-above-maximum");
        Assert.Equal(
            "The order would cost 1500000000 won, and the most that can be paid at once is 1000000000 won. Place several orders.",
            (await more.Content.ReadFromJsonAsync<JsonElement>(Cancelled)).GetProperty("detail").GetString());
        Assert.Equal([8], await InGateAsync(product.Id));
    }

    [Fact]
    public async Task The_total_is_what_the_ledgers_prices_say()
    {
        var cheap = await Stack.ProductAsync(stock: 10, price: 1_500);
        var dear = await Stack.ProductAsync(stock: 10, price: 20_000);
        var user = (await Stack.UsersAsync("total", 1))[0];

        using var answer = await user.OrderAsync([new(cheap.Id, 1), new(dear.Id, 1), new(cheap.Id, 2)]);

        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        var placed = (await answer.Content.ReadFromJsonAsync<PlacedOrder>(Cancelled))!;
        Assert.Equal(24_500, placed.TotalAmount);
        Assert.Equal($"/api/orders/{placed.OrderId}", answer.Headers.Location?.OriginalString);
        using var seen = await user.GetAsync($"/api/orders/{placed.OrderId}");
        var order = await seen.Content.ReadFromJsonAsync<JsonElement>(Cancelled);
        Assert.Equal("CREATED", order.GetProperty("status").GetString());
        Assert.Equal(3, order.GetProperty("items")[0].GetProperty("quantity").GetInt32());
        Assert.Equal("Hong Gildong", order.GetProperty("shipping").GetProperty("recipient").GetString());
    }

    [Fact]
    public async Task An_order_is_its_owners_alone()
    {
        var product = await Stack.ProductAsync(stock: 10);
        var users = await Stack.UsersAsync("owner", 2);
        var placed = await users[0].PlaceAsync(product.Id);

        using var seen = await users[1].GetAsync($"/api/orders/{placed.OrderId}");
        using var cancelled = await users[1].PostAsync($"/api/orders/{placed.OrderId}/cancel", null);

        await seen.ShouldBeProblemAsync(HttpStatusCode.NotFound, "order-not-found");
        await cancelled.ShouldBeProblemAsync(HttpStatusCode.NotFound, "order-not-found");
    }

    [Fact]
    public async Task Cancelling_gives_the_pieces_back_before_it_is_answered_and_may_be_repeated()
    {
        var product = await Stack.ProductAsync(stock: 10);
        var user = (await Stack.UsersAsync("cancel", 1))[0];
        var placed = await user.PlaceAsync(product.Id, 4);
        Assert.Equal([6], await InGateAsync(product.Id));

        for (var i = 0; i < 2; i++)
        {
            using var answer = await user.PostAsync($"/api/orders/{placed.OrderId}/cancel", null);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            Assert.Equal([10], await InGateAsync(product.Id));
        }

        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_list_is_read_page_by_page_newest_first()
    {
        var product = await Stack.ProductAsync(stock: 10);
        var user = (await Stack.UsersAsync("pages", 1))[0];
        var placed = new List<string>();
        for (var i = 0; i < 5; i++) placed.Add((await user.PlaceAsync(product.Id)).OrderId);

        var seen = new List<string>();
        string? cursor = null;
        do
        {
            using var answer = await user.GetAsync($"/api/orders?limit=2&cursor={cursor}");
            var page = await answer.Content.ReadFromJsonAsync<JsonElement>(Cancelled);
            seen.AddRange(page.GetProperty("items").EnumerateArray().Select(o => o.GetProperty("orderId").GetString()!));
            cursor = page.GetProperty("nextCursor").GetString();
        }
        while (cursor is not null);

        placed.Reverse();
        Assert.Equal(placed, seen);
    }

    [Fact]
    public async Task A_coupon_is_reserved_with_an_order_and_free_again_when_it_is_cancelled()
    {
        var product = await Stack.ProductAsync(stock: 10, price: 5_000);
        var coupon = await Stack.CouponAsync(total: 1);
        var user = (await Stack.UsersAsync("coupon-order", 1))[0];
        Assert.Equal("", await user.TakeAsync(coupon.Id));
        await Eventually.EqualAsync("ISSUED", () => IssueStatusAsync(user, coupon.Id));

        var first = await user.PlaceAsync(product.Id, couponId: coupon.Id);
        Assert.Equal(4_000, first.TotalAmount);
        using (var twice = await user.OrderAsync([new(product.Id, 1)], coupon.Id))
            await twice.ShouldBeProblemAsync(HttpStatusCode.Conflict, "coupon-not-usable");
        using (await user.PostAsync($"/api/orders/{first.OrderId}/cancel", null)) { }
        await user.PlaceAsync(product.Id, couponId: coupon.Id);

        // The refused order held nothing.
        await Eventually.EqualAsync(9L, () => Stack.AvailableAsync(product.Id));
    }

    [Theory]
    [InlineData("""{"items":[],"shipping":SHIPPING}""", "items")]
    [InlineData("""{"items":[{"productId":1,"quantity":0}],"shipping":SHIPPING}""", "items")]
    [InlineData("""{"items":[{"productId":1,"quantity":2000000000},{"productId":1,"quantity":2000000000}],"shipping":SHIPPING}""", "items")]
    [InlineData("""{"items":[{"productId":1,"quantity":1}]}""", "shipping")]
    [InlineData("""{"items":[{"productId":1,"quantity":1}],"shipping":{"recipient":"","phone":"010-1234-5678","zipcode":"04524","address1":"A"}}""", "shipping.recipient")]
    [InlineData("""{"items":[{"productId":1,"quantity":1}],"shipping":{"recipient":"A","phone":"call me","zipcode":"04524","address1":"A"}}""", "shipping.phone")]
    [InlineData("""{"items":[{"productId":1,"quantity":1}],"shipping":{"recipient":"A","phone":"010-1234-5678","zipcode":"4524","address1":"A"}}""", "shipping.zipcode")]
    [InlineData("""{"items":[{"productId":1,"quantity":1}],"shipping":{"recipient":"A","phone":"0-1-0-1-2-3-4-5-6-7-8","zipcode":"04524","address1":"A"}}""", "shipping.phone")]
    [InlineData("""{"items":[{"productId":1,"quantity":1}],"shipping":{"recipient":"A","phone":"010-1234-5678\n","zipcode":"04524","address1":"A"}}""", "shipping.phone")]
    [InlineData("""{"items":[{"productId":1,"quantity":1}],"shipping":{"recipient":"A","phone":"010-1234-5678","zipcode":"04524\n","address1":"A"}}""", "shipping.zipcode")]
    [InlineData("""{"items":[{"productId":1,"quantity":1}],"shipping":{"recipient":"A","phone":"010-1234-5678","zipcode":"04524","address1":"A\u0000"}}""", "shipping.address1")]
    public async Task Bad_input_is_told_by_field(string body, string field)
    {
        // Each case has its own user, because together they would exceed the limit.
        var user = (await Stack.UsersAsync($"bad-{Guid.NewGuid()}", 1))[0];
        var json = JsonSerializer.Deserialize<JsonElement>(body.Replace("SHIPPING", JsonSerializer.Serialize(Shoppers.Shipping), StringComparison.Ordinal));

        using var answer = await user.PostAsync("/api/orders", json);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        var problem = await answer.Content.ReadFromJsonAsync<JsonElement>(Cancelled);
        Assert.True(problem.GetProperty("errors").TryGetProperty(field, out _), problem.ToString());
    }

    [Theory]
    [InlineData("recipient", 100)]
    [InlineData("address1", 200)]
    [InlineData("address2", 200)]
    public async Task What_fits_the_database_is_taken_and_what_does_not_is_told(string field, int longest)
    {
        var product = await Stack.ProductAsync(stock: 10);
        var user = (await Stack.UsersAsync("longest", 1))[0];

        using var taken = await OrderAsync(new string('가', longest));
        using var refused = await OrderAsync(new string('가', longest + 1));

        Assert.Equal(HttpStatusCode.Created, taken.StatusCode);
        await refused.ShouldBeProblemAsync(HttpStatusCode.BadRequest, "validation");

        Task<HttpResponseMessage> OrderAsync(string text)
        {
            var shipping = JsonSerializer.SerializeToNode(Shoppers.Shipping)!;
            shipping[field] = text;
            return user.PostAsync("/api/orders", new { items = new[] { new OrderLine(product.Id, 1) }, shipping });
        }
    }

    [Theory]
    [InlineData("/api/orders/%EA%B0%80", 404)]
    [InlineData("/api/orders/{id}%20", 404)]
    [InlineData("/api/orders?cursor=%EA%B0%80", 400)]
    [InlineData("/api/payments/%EA%B0%80", 404)]
    [InlineData("/api/payments/{id}%20", 404)]
    public async Task An_id_that_cannot_be_one_is_no_failure_of_the_server(string path, int status)
    {
        var product = await Stack.ProductAsync(stock: 10);
        var user = (await Stack.UsersAsync("strange-id", 1))[0];
        var placed = await user.PlaceAsync(product.Id);

        using var answer = await user.GetAsync(path.Replace("{id}", placed.OrderId, StringComparison.Ordinal));

        Assert.Equal(status, (int)answer.StatusCode);
    }

    [Fact]
    public async Task Users_are_looked_for_by_any_subject_that_a_provider_may_give() =>
        Assert.Empty((await Stack.Admin.GetFromJsonAsync<JsonElement[]>("/api/admin/orders?userId=%EA%B0%80", Cancelled))!);

    [Theory]
    [InlineData("/api/admin/orders?before=%EA%B0%80")]
    [InlineData("/api/admin/orders?status=%EA%B0%80")]
    [InlineData("/api/admin/orders?status=CREATE")]
    [InlineData("/api/admin/payments?orderId=%EA%B0%80")]
    [InlineData("/api/admin/payments?status=created")]
    public async Task A_filter_that_nothing_can_match_is_told(string path)
    {
        using var answer = await Stack.Admin.GetAsync(path, Cancelled);
        await answer.ShouldBeProblemAsync(HttpStatusCode.BadRequest, "validation");
    }

    [Fact]
    public async Task A_strange_id_of_an_order_to_cancel_or_of_a_payment_to_refund_is_not_found()
    {
        var product = await Stack.ProductAsync(stock: 10);
        var user = (await Stack.UsersAsync("strange-post", 1))[0];
        var placed = await user.PlaceAsync(product.Id);

        using var cancelled = await user.PostAsync($"/api/orders/{placed.OrderId}%20/cancel", null);
        using var refunded = await user.PostAsync("/api/payments/%EA%B0%80/refund", new { amount = 1, reason = "none" });

        await cancelled.ShouldBeProblemAsync(HttpStatusCode.NotFound, "not-found");
        await refunded.ShouldBeProblemAsync(HttpStatusCode.NotFound, "not-found");
    }

    [Fact]
    public async Task Half_a_character_is_told_as_bad_input()
    {
        var user = (await Stack.UsersAsync("surrogate", 1))[0];
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/orders")
        {
            Content = new StringContent("""{"items":[{"productId":1,"quantity":1}],"shipping":{"recipient":"\ud800","phone":"010-1234-5678","zipcode":"04524","address1":"A"}}""", null, "application/json"),
        };
        request.Headers.Authorization = new("Bearer", user.Token);
        request.Headers.Add("Idempotency-Key", Guid.NewGuid().ToString());

        using var answer = await user.Client.SendAsync(request, Cancelled);

        await answer.ShouldBeProblemAsync(HttpStatusCode.BadRequest, "validation");
    }

    [Fact]
    public async Task What_is_not_on_sale_cannot_be_ordered()
    {
        var user = (await Stack.UsersAsync("unknown", 1))[0];
        using var answer = await user.OrderAsync([new(999_999, 1)]);
        await answer.ShouldBeProblemAsync(HttpStatusCode.NotFound, "product-not-found");
    }

    [Fact]
    public async Task A_lapsed_hold_returns_without_waiting_for_the_reconciler_and_the_order_expires()
    {
        const int Rounds = 5;
        var product = await Stack.ProductAsync(stock: 10);
        var user = (await Stack.UsersAsync("lapse", 1))[0];
        await Stack.RecordOrderEndsAsync();
        var late = new List<TimeSpan>();
        for (var i = 0; i < Rounds; i++)
        {
            var placed = await user.PlaceAsync(product.Id, 10);
            await Database.ExecuteAsync("UPDATE orders SET hold_expires_at = UTC_TIMESTAMP(6) WHERE id = @OrderId", placed, Cancelled);
            await Eventually.EqualAsync(10L, async () => (await InGateAsync(product.Id))[0]);
            late.Add(await Stack.EndedAfterHoldAsync(placed.OrderId));
        }

        // The times are by MySQL's clock. The reaper runs four times a second. If only the reconciler worked, which runs every 10 s, three
        // of five orders would hardly be in time.
        Assert.InRange(late.Order().ElementAt(Rounds / 2), TimeSpan.Zero, TimeSpan.FromSeconds(1));
        await CheckConsistencyAsync();
    }

    MySqlDatabase Database => Stack.Services.GetRequiredService<MySqlDatabase>();

    /// <summary>The available stock in the gate.</summary>
    Task<IReadOnlyList<long?>> InGateAsync(params IReadOnlyList<long> productIds) =>
        Eventually.DoneAsync(() => Stack.Services.GetRequiredService<InventoryGate>().ListAvailableAsync(productIds));

    static async Task<string?> IssueStatusAsync(Shopper user, long couponId)
    {
        using var answer = await user.GetAsync($"/api/coupons/{couponId}/issue");
        return (await answer.Content.ReadFromJsonAsync<JsonElement>(Cancelled)).GetProperty("status").GetString();
    }
}
