using System.Net;
using Commerce.Core.Inventory;
using Commerce.Core.Orders;
using Commerce.Core.Payments;

namespace Commerce.Tests.Integration.Orders;

/// <summary>Administrators' views of all orders and payments, and their changes of products.</summary>
public sealed class AdministrationTests(CommerceStack stack) : PaymentStackTests(stack)
{
    [Fact]
    public async Task Orders_are_found_by_user_and_state_page_by_page_newest_first()
    {
        var product = await Stack.ProductAsync(stock: 10);
        var users = await Stack.UsersAsync($"found-{Guid.NewGuid():N}", 2);
        var first = await users[0].PlaceAsync(product.Id);
        var cancelled = await users[0].PlaceAsync(product.Id);
        await users[1].PlaceAsync(product.Id);
        using (await users[0].PostAsync($"/api/orders/{cancelled.OrderId}/cancel", null)) { }

        Assert.Equal([cancelled.OrderId, first.OrderId], (await OrdersAsync($"userId={users[0].Id}")).Select(o => o.Id));
        Assert.Equal([first.OrderId], (await OrdersAsync($"userId={users[0].Id}&status=CREATED")).Select(o => o.Id));
        Assert.Equal([cancelled.OrderId], (await OrdersAsync($"userId={users[0].Id}&limit=1")).Select(o => o.Id));
        Assert.Equal([first.OrderId], (await OrdersAsync($"userId={users[0].Id}&limit=1&before={cancelled.OrderId}")).Select(o => o.Id));
        Assert.Equal([users[1].Id, users[0].Id, users[0].Id], (await OrdersAsync("limit=3")).Select(o => o.UserId));
    }

    [Fact]
    public async Task Orders_are_found_by_the_beginning_of_a_name_or_a_telephone_number_while_the_address_is_kept()
    {
        var product = await Stack.ProductAsync(stock: 10);
        var user = (await Stack.UsersAsync($"recipients-{Guid.NewGuid():N}", 1))[0];
        // The name and the digits are unique to this run.
        var (name, digits) = ($"김{Guid.NewGuid():N}", $"{Random.Shared.NextInt64(1_000_000_000, 9_999_999_999)}");
        var first = await PlaceAsync($"{name}_1", $"+8{digits[..4]}-{digits[4..]}");
        var second = await PlaceAsync($"{name.ToUpperInvariant()}%2", digits);
        await PlaceAsync($"x{name}", "02-123-4567");

        Assert.Equal([second, first], await FoundAsync(name));
        Assert.Equal([first], await FoundAsync($" {name}_1"));
        // Wildcards of SQL are treated like other characters.
        Assert.Equal([], await FoundAsync($"{name}_%"));
        Assert.Equal([second], await FoundAsync($"{name}%"));
        Assert.Equal([second], await FoundAsync(digits[..9]));
        Assert.Equal([second], await FoundAsync($"{digits[..4]} {digits[4..8]}"));
        Assert.Equal([first], await FoundAsync($"+8({digits[..4]}) {digits[4..]}"));
        Assert.Equal([first], await FoundAsync(name, $"&before={second}"));
        Assert.Equal([], await FoundAsync(name, "&status=PAID"));
        foreach (var senseless in new[] { "김", "123", " ", new string('x', 101) })
        {
            using var refused = await Stack.Admin.GetAsync($"/api/admin/orders?recipient={Uri.EscapeDataString(senseless)}", Cancelled);
            await refused.ShouldBeProblemAsync(HttpStatusCode.BadRequest, "validation");
        }

        await Database.ExecuteAsync("DELETE FROM shipping_info WHERE order_id = @first", new { first }, Cancelled);
        Assert.Equal([second], await FoundAsync(name));

        async Task<string> PlaceAsync(string recipient, string phone)
        {
            using var answer = await user.PostAsync(
                "/api/orders", new { items = new[] { new { productId = product.Id, quantity = 1 } }, shipping = new { recipient, phone, zipcode = "04524", address1 = "Seoul" } });
            Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Cancelled));
            return (await answer.Content.ReadFromJsonAsync<PlacedOrder>(Cancelled))!.OrderId;
        }

        async Task<IEnumerable<string>> FoundAsync(string text, string more = "") => (await OrdersAsync($"recipient={Uri.EscapeDataString(text)}{more}")).Select(o => o.Id);
    }

    [Fact]
    public async Task Payments_are_found_by_order_user_and_state_page_by_page_newest_first()
    {
        var purchase = await PayAsync($"paid-{Guid.NewGuid():N}");
        var pending = purchase with { Order = await purchase.User.PlaceAsync(purchase.Product.Id) };
        using (await pending.PrepareAsync()) { }
        var user = purchase.User.Id;

        Assert.Equal([pending.OrderId, purchase.OrderId], (await PaymentsAsync($"userId={user}")).Select(p => p.OrderId));
        Assert.Equal([purchase.OrderId], (await PaymentsAsync($"userId={user}&status=PAID")).Select(p => p.OrderId));
        var newest = Assert.Single(await PaymentsAsync($"orderId={pending.OrderId}"));
        Assert.Equal((PaymentState.Pending, Price, user), (newest.Status, newest.Amount, newest.UserId));
        Assert.Equal([purchase.OrderId], (await PaymentsAsync($"userId={user}&limit=1&before={newest.PaymentId}")).Select(p => p.OrderId));
    }

    [Theory]
    [InlineData("/api/admin/orders")]
    [InlineData("/api/admin/payments")]
    [InlineData("/api/admin/products")]
    [InlineData("/api/admin/products/1")]
    public async Task Members_see_nothing_of_it(string path)
    {
        using var answer = await (await Stack.UsersAsync("curious", 1))[0].GetAsync(path);
        await answer.ShouldBeProblemAsync(HttpStatusCode.Forbidden, "forbidden");
    }

    [Fact]
    public async Task Products_are_listed_page_by_page_newest_first_on_sale_or_not()
    {
        var (older, newer) = (await Stack.ProductAsync(stock: 10), await Stack.ProductAsync(stock: 10));
        using (await ChangeAsync(newer.Id, new { name = newer.Name, price = newer.Price, onSale = false, maxPerCustomer = (int?)null })) { }

        Assert.Equal([newer.Id, older.Id], (await ProductsAsync("/api/admin/products")).Take(2).Select(p => p.Id));
        Assert.Equal(older.Id, (await ProductsAsync($"/api/admin/products?before={newer.Id}"))[0].Id);
        // The public list may be a second old.
        await Eventually.EqualAsync(older.Id, async () => (await ProductsAsync("/api/products"))[0].Id);

        async Task<List<Product>> ProductsAsync(string path) => (await Stack.Admin.GetFromJsonAsync<List<Product>>(path, Cancelled))!;
    }

    [Fact]
    public async Task A_changed_product_is_sold_as_it_is_now_and_what_was_ordered_keeps_its_price()
    {
        var purchase = await OrderAsync("repriced");
        using var changed = await ChangeAsync(purchase.Product.Id, new { name = "renamed", price = 15_000, onSale = true, maxPerCustomer = (int?)null });

        Assert.Equal(HttpStatusCode.OK, changed.StatusCode);
        var expected = purchase.Product with { Name = "renamed", Price = 15_000, Version = 2 };
        Assert.Equal(expected, await changed.Content.ReadFromJsonAsync<Product>(Cancelled));
        Assert.Equal(expected, await Stack.Admin.GetFromJsonAsync<Product>($"/api/admin/products/{expected.Id}", Cancelled));
        Assert.Equal(15_000, (await purchase.User.PlaceAsync(expected.Id)).TotalAmount);
        using var prepared = await purchase.PrepareAsync(amount: Price);
        Assert.Equal(HttpStatusCode.OK, prepared.StatusCode);
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_product_that_is_taken_off_sale_is_not_seen_and_not_ordered_until_it_is_back()
    {
        var purchase = await OrderAsync("withdrawn");
        var product = purchase.Product;
        using (await ChangeAsync(product.Id, new { name = product.Name, price = product.Price, onSale = false, maxPerCustomer = (int?)null })) { }

        using var refused = await purchase.User.OrderAsync([new(product.Id, 1)]);
        using var hidden = await purchase.User.GetAsync($"/api/products/{product.Id}");
        using var prepared = await purchase.PrepareAsync();

        await refused.ShouldBeProblemAsync(HttpStatusCode.NotFound, "product-not-found");
        await hidden.ShouldBeProblemAsync(HttpStatusCode.NotFound, "product-not-found");
        Assert.Equal(HttpStatusCode.OK, prepared.StatusCode);
        using (await ChangeAsync(product.Id, new { name = product.Name, price = product.Price, onSale = true, maxPerCustomer = (int?)null })) { }
        await purchase.User.PlaceAsync(product.Id);
    }

    [Fact]
    public async Task A_change_that_makes_no_sense_or_of_no_product_is_refused()
    {
        var product = await Stack.ProductAsync(stock: 1);

        using var senseless = await ChangeAsync(product.Id, new { name = "", price = 0, onSale = true, maxPerCustomer = (int?)null });
        using var unknown = await ChangeAsync(long.MaxValue, new { name = "nothing", price = 1, onSale = true, maxPerCustomer = (int?)null });

        await senseless.ShouldBeProblemAsync(HttpStatusCode.BadRequest, "validation");
        await unknown.ShouldBeProblemAsync(HttpStatusCode.NotFound, "product-not-found");
        Assert.Equal(product, await Stack.Admin.GetFromJsonAsync<Product>($"/api/admin/products/{product.Id}", Cancelled));
    }

    async Task<List<Order>> OrdersAsync(string query) => (await Stack.Admin.GetFromJsonAsync<List<Order>>($"/api/admin/orders?{query}", Cancelled))!;

    async Task<List<Payment>> PaymentsAsync(string query) => (await Stack.Admin.GetFromJsonAsync<List<Payment>>($"/api/admin/payments?{query}", Cancelled))!;

    Task<HttpResponseMessage> ChangeAsync(long productId, object definition) => Stack.Admin.PutAsJsonAsync($"/api/admin/products/{productId}", definition, Cancelled);
}
