using System.Net;
using System.Text.Json;
using Commerce.Core.Inventory;
using Commerce.Core.Orders;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Integration.Orders;

/// <summary>A customer has at most as many units of a product as its limit, over all orders that hold stock or are paid.</summary>
public sealed class CustomerLimitTests(CommerceStack stack) : PaymentStackTests(stack)
{
    [Fact]
    public async Task A_limit_counts_over_all_orders_of_a_customer_and_the_refusal_says_what_to_do()
    {
        var product = await Stack.ProductAsync(stock: 10, maxPerCustomer: 3);
        var users = await Stack.UsersAsync("limited", 2);
        await users[0].PlaceAsync(product.Id, 2);

        using var above = await users[0].OrderAsync([new(product.Id, 2)]);
        await users[0].PlaceAsync(product.Id);
        using var full = await users[0].OrderAsync([new(product.Id, 1)]);

        Assert.Equal(
            $"One customer can have 3 of product {product.Id}, and your orders have 2. Order at most 1, or cancel an unpaid order of it first.", await DetailAsync(above));
        Assert.Equal($"One customer can have 3 of product {product.Id}, and your orders have 3. Cancel an unpaid order of it first.", await DetailAsync(full));
        await users[1].PlaceAsync(product.Id, 3);
        Assert.Equal(4, await Stack.AvailableAsync(product.Id));
        Assert.Equal(3, (await Stack.Anonymous.GetFromJsonAsync<JsonElement>($"/api/products/{product.Id}", Cancelled)).GetProperty("maxPerCustomer").GetInt32());
        await CheckConsistencyAsync();

        static async Task<string?> DetailAsync(HttpResponseMessage answer)
        {
            await answer.ShouldBeProblemAsync(HttpStatusCode.Conflict, "customer-limit");
            return (await answer.Content.ReadFromJsonAsync<JsonElement>(Cancelled)).GetProperty("detail").GetString();
        }
    }

    [Fact]
    public async Task One_line_above_its_limit_refuses_the_whole_order()
    {
        var (limited, other) = (await Stack.ProductAsync(stock: 10, maxPerCustomer: 1), await Stack.ProductAsync(stock: 10));
        var user = (await Stack.UsersAsync("limited-line", 1))[0];

        using var answer = await user.OrderAsync([new(other.Id, 5), new(limited.Id, 2)]);

        await answer.ShouldBeProblemAsync(HttpStatusCode.Conflict, "customer-limit");
        // The stock must be correct at once, because the reconciler would release orphaned stock later.
        Assert.Equal([10L, 10L], await Gate.ListAvailableAsync([limited.Id, other.Id]));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_hundred_orders_of_one_customer_at_once_get_exactly_the_limit()
    {
        var product = await Stack.ProductAsync(stock: 1000, maxPerCustomer: 7);
        await using var replica = await ApiReplica.StartAsync(Stack, ("Limits__UserPerSecond", "1000"));
        using var client = new HttpClient { BaseAddress = replica.Url };
        var user = (await Stack.UsersAsync("greedy", 1))[0] with { Client = client };

        var told = await OrderAtOnceAsync(user, product.Id, 100);

        Assert.Equal((7, 93), (told.Count(t => t.Length == 0), told.Count(t => t == "customer-limit")));
        Assert.Equal(7, await UnitsAsync(product.Id, user));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task What_is_cancelled_expired_or_refunded_may_be_ordered_again_and_what_is_paid_may_not()
    {
        var product = await Stack.ProductAsync(stock: 10, Price, maxPerCustomer: 1);
        var user = (await Stack.UsersAsync("freed", 1))[0];
        var cancelled = await user.PlaceAsync(product.Id);
        using (await user.PostAsync($"/api/orders/{cancelled.OrderId}/cancel", null)) { }
        // The entry is deleted with the last unit.
        Assert.Equal(0, (int)await Stack.RedisAsync("HEXISTS", "{inventory}:customers", $"{product.Id} {user.Id}"));

        var expired = await user.PlaceAsync(product.Id);
        await Database.ExecuteAsync("UPDATE orders SET hold_expires_at = UTC_TIMESTAMP(6) WHERE id = @OrderId", expired, Cancelled);
        var purchase = new Purchase(Stack.Sandbox, user, product, await PlaceWhenFreeAsync());
        using (var prepared = await purchase.PrepareAsync()) Assert.True(prepared.IsSuccessStatusCode);
        await PayAsync(purchase, await purchase.AuthorizeAsync());
        await Eventually.EqualAsync(9, () => StockAsync(purchase));
        await CheckConsistencyAsync();
        using (var paid = await user.OrderAsync([new(product.Id, 1)])) await paid.ShouldBeProblemAsync(HttpStatusCode.Conflict, "customer-limit");

        Assert.Equal("REFUNDED", await purchase.RefundedAsync(Price));
        await PlaceWhenFreeAsync();
        await CheckConsistencyAsync();

        Task<PlacedOrder> PlaceWhenFreeAsync() => Eventually.GetAsync(async () =>
        {
            using var answer = await user.OrderAsync([new(product.Id, 1)]);
            return answer.IsSuccessStatusCode ? await answer.Content.ReadFromJsonAsync<PlacedOrder>(Cancelled) : null;
        }, placed => placed is not null)!;
    }

    [Fact]
    public async Task A_lowered_limit_takes_nothing_away_and_a_removed_one_allows_everything()
    {
        var product = await Stack.ProductAsync(stock: 20, maxPerCustomer: 5);
        var user = (await Stack.UsersAsync("lowered", 1))[0];
        await user.PlaceAsync(product.Id, 4);

        await LimitAsync(product, 2);
        using (var more = await user.OrderAsync([new(product.Id, 1)])) await more.ShouldBeProblemAsync(HttpStatusCode.Conflict, "customer-limit");
        await CheckConsistencyAsync();
        await LimitAsync(product, 6);
        await user.PlaceAsync(product.Id, 2);
        await LimitAsync(product, null);
        await user.PlaceAsync(product.Id, 3);
        await LimitAsync(product, 9);
        using (var again = await user.OrderAsync([new(product.Id, 1)])) await again.ShouldBeProblemAsync(HttpStatusCode.Conflict, "customer-limit");

        Assert.Equal(9, await UnitsAsync(product.Id, user));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task The_first_limit_of_a_product_counts_the_orders_before_it()
    {
        var purchase = await PayAsync("before-the-limit");
        await Eventually.EqualAsync(9, () => StockAsync(purchase));
        var (product, user) = (purchase.Product, purchase.User);
        await user.PlaceAsync(product.Id, 2);
        using (await user.PostAsync($"/api/orders/{(await user.PlaceAsync(product.Id)).OrderId}/cancel", null)) { }

        await LimitAsync(product, 4);

        // The gate is rebuilt, and orders wait for it.
        using (var above = await user.OrderAsync([new(product.Id, 2)])) await above.ShouldBeProblemAsync(HttpStatusCode.Conflict, "customer-limit");
        await user.PlaceAsync(product.Id);
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task Orders_that_are_placed_while_the_first_limit_is_set_are_all_counted()
    {
        var product = await Stack.ProductAsync(stock: 1000);
        var users = await Stack.UsersAsync("first-limit", 20);

        var ordering = Task.WhenAll(users.Select(user => Task.Run(async () =>
        {
            for (var told = ""; told.Length == 0;)
            {
                using var answer = await user.OrderAsync([new(product.Id, 1)]);
                told = await answer.SlugAsync();
                if (told == "rate-limited") told = "";
            }
        }, Cancelled)));
        await Eventually.EqualAsync(true, async () => await Stack.AvailableAsync(product.Id) < 950);
        await LimitAsync(product, 10);
        await ordering;

        // Customers who had more units before keep them.
        await CheckConsistencyAsync();
        foreach (var user in users.Take(3))
            Assert.Equal(await UnitsAsync(product.Id, user), (int)await Stack.RedisAsync("HGET", "{inventory}:customers", $"{product.Id} {user.Id}"));
    }

    [Fact]
    public async Task An_open_event_limits_its_products_and_a_closed_one_does_not()
    {
        var (product, own) = (await Stack.ProductAsync(stock: 20), await Stack.ProductAsync(stock: 20, maxPerCustomer: 1));
        var users = await Stack.UsersAsync("limited-by-event", 2);
        var sale = await Stack.EventAsync(opensIn: 3600, productIds: [product.Id, own.Id], maxPerCustomer: 3);
        Assert.Equal(3, sale.MaxPerCustomer);
        // The gate was rebuilt, because the product now counts its customers.
        await CheckConsistencyAsync();
        await users[0].PlaceAsync(product.Id, 2);
        await users[1].PlaceAsync(product.Id, 4);

        using (await Stack.EventActionAsync(sale.Id, "open")) { }
        using (var above = await users[0].OrderAsync([new(product.Id, 2)]))
        {
            await above.ShouldBeProblemAsync(HttpStatusCode.Conflict, "customer-limit");
            Assert.Equal(
                $"One customer can have 3 of product {product.Id}, and your orders have 2. Order at most 1, or cancel an unpaid order of it first.",
                (await above.Content.ReadFromJsonAsync<JsonElement>(Cancelled)).GetProperty("detail").GetString());
        }

        var last = await users[0].PlaceAsync(product.Id);
        using (var full = await users[0].OrderAsync([new(product.Id, 1)])) await full.ShouldBeProblemAsync(HttpStatusCode.Conflict, "customer-limit");
        // Customers keep what they ordered before the opening.
        using (var more = await users[1].OrderAsync([new(product.Id, 1)])) await more.ShouldBeProblemAsync(HttpStatusCode.Conflict, "customer-limit");
        // The lower limit decides.
        using (var above = await users[0].OrderAsync([new(own.Id, 2)])) await above.ShouldBeProblemAsync(HttpStatusCode.Conflict, "customer-limit");
        await CheckConsistencyAsync();
        using (await users[0].PostAsync($"/api/orders/{last.OrderId}/cancel", null)) { }
        await users[0].PlaceAsync(product.Id);

        using (await Stack.EventActionAsync(sale.Id, "cancel")) { }
        await users[0].PlaceAsync(product.Id, 4);
        Assert.Equal(7, await UnitsAsync(product.Id, users[0]));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task Events_that_are_open_at_once_limit_by_the_lowest_and_a_limit_added_later_counts_what_was_ordered()
    {
        var product = await Stack.ProductAsync(stock: 20);
        var user = (await Stack.UsersAsync("limited-by-events", 1))[0];
        await user.PlaceAsync(product.Id);
        var draft = await Stack.EventAsync(opensIn: null, productIds: [product.Id]);
        foreach (var limit in new[] { 4, 2 })
            using (await Stack.EventActionAsync((await Stack.EventAsync(opensIn: 3600, productIds: [product.Id], maxPerCustomer: limit)).Id, "open")) { }
        using (var changed = await Stack.Admin.PutAsJsonAsync(
            $"/api/admin/events/{draft.Id}",
            new { draft.Name, draft.OpensAt, draft.ClosesAt, draft.CouponIds, draft.ProductIds, draft.WaitingRoomRate, maxPerCustomer = 1 }, Cancelled))
            Assert.True(changed.IsSuccessStatusCode, await changed.Content.ReadAsStringAsync(Cancelled));

        await user.PlaceAsync(product.Id);
        using (var above = await user.OrderAsync([new(product.Id, 1)])) await above.ShouldBeProblemAsync(HttpStatusCode.Conflict, "customer-limit");

        Assert.Equal(2, await UnitsAsync(product.Id, user));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_hundred_orders_of_one_customer_at_the_opening_get_exactly_the_limit_of_the_event()
    {
        var product = await Stack.ProductAsync(stock: 1000);
        await using var replica = await ApiReplica.StartAsync(Stack, ("Limits__UserPerSecond", "1000"));
        using var client = new HttpClient { BaseAddress = replica.Url };
        var user = (await Stack.UsersAsync("greedy-at-opening", 1))[0] with { Client = client };
        var sale = await Stack.EventAsync(opensIn: 3600, productIds: [product.Id], maxPerCustomer: 7);
        using (await Stack.EventActionAsync(sale.Id, "open")) { }

        var told = await OrderAtOnceAsync(user, product.Id, 100);

        Assert.Equal((7, 93), (told.Count(t => t.Length == 0), told.Count(t => t == "customer-limit")));
        Assert.Equal(7, await UnitsAsync(product.Id, user));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task What_the_gate_counts_wrongly_is_found_and_repaired()
    {
        var product = await Stack.ProductAsync(stock: 10, maxPerCustomer: 3);
        var user = (await Stack.UsersAsync("miscounted", 1))[0];
        var placed = await user.PlaceAsync(product.Id);
        await CheckConsistencyAsync();
        await Stack.RedisAsync("HINCRBY", "{inventory}:customers", $"{product.Id} {user.Id}", 2);

        using (var refused = await user.OrderAsync([new(product.Id, 1)])) await refused.ShouldBeProblemAsync(HttpStatusCode.Conflict, "customer-limit");
        Assert.Contains(await Reconciler.CompareAllCustomersAsync(Cancelled), d => d == new CustomerDrift(d.Epoch, product.Id, user.Id, Expected: 1, Counted: 3, placed.OrderId));

        await Eventually.EqualAsync(0, async () =>
        {
            // The reconciler would run within 10 s anyway.
            using var reconciled = await Stack.Admin.PostAsync("/api/admin/reconcile", null, Cancelled);
            return (await Reconciler.CompareAllCustomersAsync(Cancelled)).Count;
        });
        await user.PlaceAsync(product.Id, 2);
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_customer_has_no_more_unpaid_orders_than_allowed_however_many_are_placed_at_once()
    {
        var product = await Stack.ProductAsync(stock: 1000);
        await using var replica = await ApiReplica.StartAsync(Stack, ("Orders__MaxUnpaidOrders", "3"), ("Limits__UserPerSecond", "1000"));
        using var client = new HttpClient { BaseAddress = replica.Url };
        var user = (await Stack.UsersAsync("unpaid", 1))[0] with { Client = client };

        var told = await OrderAtOnceAsync(user, product.Id, 40);

        Assert.Equal((3, 37), (told.Count(t => t.Length == 0), told.Count(t => t == "too-many-unpaid-orders")));
        Assert.Equal(997, await Stack.AvailableAsync(product.Id));
        var order = await Database.SingleAsync<string>("SELECT id FROM orders WHERE user_id = @Id LIMIT 1", user, Cancelled);
        using (await user.PostAsync($"/api/orders/{order}/cancel", null)) { }
        await user.PlaceAsync(product.Id);
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_limit_of_nothing_is_bad_input()
    {
        using var created = await Stack.Admin.PostAsJsonAsync("/api/admin/products", new { name = "x", price = 1, maxPerCustomer = 0 }, Cancelled);
        var problem = await created.Content.ReadFromJsonAsync<JsonElement>(Cancelled);
        Assert.True(problem.GetProperty("errors").TryGetProperty("maxPerCustomer", out _), problem.ToString());
        using var planned = await Stack.Admin.PostAsJsonAsync(
            "/api/admin/events", new { name = "x", opensAt = (string?)null, closesAt = (string?)null, couponIds = Array.Empty<long>(), productIds = Array.Empty<long>(), waitingRoomRate = (int?)null, maxPerCustomer = 0 }, Cancelled);
        problem = await planned.Content.ReadFromJsonAsync<JsonElement>(Cancelled);
        Assert.True(problem.GetProperty("errors").TryGetProperty("maxPerCustomer", out _), problem.ToString());
    }

    InventoryGate Gate => Stack.Services.GetRequiredService<InventoryGate>();

    InventoryReconciler Reconciler => Stack.Services.GetRequiredService<InventoryReconciler>();

    /// <summary>
    /// Returns the slugs of the refusals, or "" for an order. Each request is repeated with its key until its response is definite.
    /// </summary>
    static Task<string[]> OrderAtOnceAsync(Shopper user, long productId, int count) => Task.WhenAll(Enumerable.Range(0, count).Select(async _ =>
    {
        var key = Guid.NewGuid().ToString();
        return await Eventually.GetAsync(async () =>
        {
            using var answer = await user.OrderAsync([new(productId, 1)], key: key);
            return await answer.SlugAsync();
        }, slug => slug is not ("gate-closed" or "dependency-unavailable" or "idempotency-key-in-flight"));
    }));

    Task<int> UnitsAsync(long productId, Shopper user) => Database.SingleAsync<int>("""
        SELECT CAST(COALESCE(SUM(i.quantity), 0) AS SIGNED) FROM orders o JOIN order_item i ON i.order_id = o.id
        WHERE o.user_id = @Id AND i.product_id = @productId AND o.status IN ('CREATED', 'PENDING_PAYMENT', 'PAID')
        """, new { user.Id, productId }, Cancelled);

    async Task LimitAsync(Product product, int? maxPerCustomer)
    {
        using var answer = await Stack.Admin.PutAsJsonAsync(
            $"/api/admin/products/{product.Id}", new { product.Name, product.Price, product.OnSale, maxPerCustomer }, Cancelled);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Cancelled));
        Assert.Equal(maxPerCustomer, (await answer.Content.ReadFromJsonAsync<Product>(Cancelled))!.MaxPerCustomer);
    }
}
