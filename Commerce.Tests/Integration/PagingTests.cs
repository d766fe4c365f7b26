using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Commerce.Core;
using Commerce.Core.Catalog;
using Commerce.Core.Database;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Integration;

/// <summary>A list is read to its end by following the header Link.</summary>
public sealed partial class PagingTests(CommerceStack stack) : StackTests(stack)
{
    const int Products = 205;

    [Fact]
    public async Task Every_product_on_sale_is_listed_once_however_many_there_are()
    {
        await Database.ExecuteAsync(
            $"INSERT INTO product (name, price, stock, on_sale) VALUES {string.Join(", ", Enumerable.Repeat("('page', 1, 0, TRUE)", Products))}", null, Cancelled);
        try
        {
            var expected = await Database.QueryAsync<long>("SELECT id FROM product WHERE on_sale ORDER BY id DESC", null, Cancelled);
            // The first page may be a second old.
            await Eventually.GetAsync(() => ReadAllAsync(Stack.Anonymous, "/api/products"), listed => listed.SequenceEqual(expected.Select(id => $"{id}")));
        }
        finally
        {
            await Database.ExecuteAsync("UPDATE product SET on_sale = FALSE WHERE name = 'page'", null, CancellationToken.None);
        }
    }

    [Theory]
    [InlineData("/api/admin/products?", "id")]
    [InlineData("/api/admin/coupons?", "id")]
    [InlineData("/api/admin/events?", "id")]
    [InlineData("/api/admin/orders?status=CREATED&", "id")]
    [InlineData("/api/admin/payments?status=PENDING&", "paymentId")]
    [InlineData("/api/admin/outbox?status=SENT&", "id")]
    [InlineData("/api/admin/products/{id}/stock?", "id")]
    public async Task A_list_of_administrators_links_to_its_next_page_with_the_same_filter(string address, string id)
    {
        var user = (await Stack.UsersAsync($"paged-{Guid.NewGuid():N}", 1))[0];
        var product = await Stack.ProductAsync(stock: 100);
        for (var i = 0; i < 3; i++)
        {
            using (await Stack.Admin.PostAsJsonAsync($"/api/admin/products/{product.Id}/stock", new { delta = 1, reason = "page" }, Cancelled)) { }
            await Stack.CouponAsync(total: 1);
            await Stack.EventAsync(opensIn: 3600);
            // The opening is a message.
            await Stack.EventAsync(opensIn: 0);
            await Stack.ProductAsync(stock: 1);
            var placed = await user.PlaceAsync(product.Id);
            using (await user.PostAsync("/api/payments/prepare", new { placed.OrderId, amount = placed.TotalAmount })) { }
            await user.PlaceAsync(product.Id);
        }

        address = address.Replace("{id}", $"{product.Id}", StringComparison.Ordinal);
        await Eventually.GetAsync(async () => (await PageAsync(Stack.Admin, $"{address}limit=5", id)).Ids.Count, count => count >= 3);

        // Other tests do not run at the same time, but messages of the system may arrive.
        await Eventually.GetAsync(async () =>
        {
            var (all, _) = await PageAsync(Stack.Admin, $"{address}limit=4", id);
            var (first, next) = await PageAsync(Stack.Admin, $"{address}limit=2", id);
            var (second, _) = await PageAsync(Stack.Admin, next!, id);
            return first.Count == 2 && next!.Contains("limit=2", StringComparison.Ordinal) && first.Concat(second).SequenceEqual(all);
        }, same => same);
    }

    [Fact]
    public async Task Orders_and_coupons_of_a_user_are_read_to_the_end()
    {
        var user = await Stack.UserAsync("reader");
        var shopper = (await Stack.UsersAsync("reader", 1))[0];
        user.DefaultRequestHeaders.Authorization = new("Bearer", shopper.Token);
        var product = await Stack.ProductAsync(stock: 10);
        var (orders, coupons) = (new List<string>(), new List<string>());
        for (var i = 0; i < 3; i++)
        {
            orders.Insert(0, (await shopper.PlaceAsync(product.Id)).OrderId);
            var coupon = await Stack.CouponAsync(total: 1);
            Assert.Equal("", await shopper.TakeAsync(coupon.Id));
            coupons.Insert(0, $"{coupon.Id}");
        }

        await Eventually.EqualAsync(3, () => Database.SingleAsync<int>("SELECT COUNT(*) FROM coupon_issue WHERE user_id = @Id", shopper, Cancelled));
        Assert.Equal(orders, await ReadAllAsync(user, "/api/orders?limit=1", "orderId"));
        Assert.Equal(coupons, await ReadAllAsync(user, "/api/coupons/my?limit=2", "couponId"));
    }

    [Fact]
    public async Task Current_events_and_coupons_come_first_on_all_pages()
    {
        var events = Stack.Services.GetRequiredService<EventDefinitions>();
        var coupons = Stack.Services.GetRequiredService<CouponDefinitions>();
        var over = await Stack.EventAsync(opensIn: 3600);
        using (await Stack.EventActionAsync(over.Id, "cancel")) { }
        for (var i = 0; i < 3; i++)
        {
            await Stack.EventAsync(opensIn: 3600);
            await Stack.CouponAsync(total: 1, endsInHours: i == 1 ? -0.5 : 1);
        }

        var allEvents = (await events.ListAsync(drafts: true, null, 10_000, Cancelled)).Items;
        Assert.Equal(allEvents.Select(e => e.Id), await ReadAsync(async after =>
        {
            var page = await events.ListAsync(drafts: true, after, 2, Cancelled);
            return (page.Items.Select(e => e.Id), page.Next);
        }));
        Assert.True(allEvents[0].Status is not "CANCELLED" && allEvents.Any(e => e.Id == over.Id));
        Assert.Equal((await coupons.ListPublicAsync(null, 10_000, Cancelled)).Items.Select(c => c.Id), await ReadAsync(async after =>
        {
            var page = await coupons.ListPublicAsync(after, 2, Cancelled);
            return (page.Items.Select(c => c.Id), page.Next);
        }));
    }

    [Theory]
    [InlineData("/api/products?cursor=x")]
    [InlineData("/api/coupons?cursor=1")]
    [InlineData("/api/events?cursor=1-")]
    [InlineData("/api/events?cursor=")]
    [InlineData("/api/coupons?cursor=1-1&cursor=1-2")]
    public async Task A_cursor_that_no_page_has_given_is_refused(string address)
    {
        using var answer = await Stack.Anonymous.GetAsync(address, Cancelled);
        await answer.ShouldBeProblemAsync(System.Net.HttpStatusCode.BadRequest, "validation");
        Assert.NotNull((await answer.Content.ReadFromJsonAsync<JsonObject>(Cancelled))!["errors"]!["cursor"]);
    }

    MySqlDatabase Database => Stack.Services.GetRequiredService<MySqlDatabase>();

    static async Task<List<long>> ReadAsync(Func<Cursor?, Task<(IEnumerable<long> Ids, string? Next)>> read)
    {
        var ids = new List<long>();
        Cursor? after = null;
        do
        {
            var (page, next) = await read(after);
            ids.AddRange(page);
            after = next is null ? null : Cursor.Parse(next, null);
        }
        while (after is not null);
        return ids;
    }

    static async Task<List<string>> ReadAllAsync(HttpClient client, string address, string id = "id")
    {
        var ids = new List<string>();
        for (var next = address; next is not null;)
        {
            (var page, next) = await PageAsync(client, next, id);
            ids.AddRange(page);
        }

        return ids;
    }

    static async Task<(IReadOnlyList<string> Ids, string? Next)> PageAsync(HttpClient client, string address, string id)
    {
        using var answer = await client.GetAsync(address, Cancelled);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Cancelled));
        var body = JsonNode.Parse(await answer.Content.ReadAsStringAsync(Cancelled))!;
        var items = body as JsonArray ?? body["items"]!.AsArray();
        return ([.. items.Select(item => $"{item![id]}")], answer.Headers.TryGetValues("Link", out var links) ? Next().Match(links.Single()).Groups[1].Value : null);
    }

    [GeneratedRegex("^<([^>]+)>; rel=\"next\"$")]
    private static partial Regex Next();
}
