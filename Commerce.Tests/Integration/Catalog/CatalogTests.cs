using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Commerce.Core.Catalog;
using Commerce.Core.Coupons;
using Commerce.Core.Database;
using Commerce.Core.Inventory;
using Commerce.ServiceDefaults;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Integration.Catalog;

/// <summary>Reads and concurrent changes by administrators during a sale.</summary>
public sealed class CatalogTests(CommerceStack stack) : StackTests(stack)
{
    const string Products = "products", Coupons = "coupons", Events = "events";

    [Theory]
    [InlineData(Products)]
    [InlineData(Coupons)]
    [InlineData(Events)]
    public async Task A_change_of_what_was_changed_meanwhile_is_refused(string kind)
    {
        var path = await CreateAsync(kind);
        var read = await ETagAsync(path);

        using var first = await ChangeAsync(path, Definition(kind, "first"), read);
        using var second = await ChangeAsync(path, Definition(kind, "second"), read);

        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        await second.ShouldBeProblemAsync(HttpStatusCode.PreconditionFailed, "stale-version");
        Assert.Equal("first", await NameAsync(path));
        Assert.NotEqual(read, first.Headers.ETag?.Tag);
        Assert.Equal(first.Headers.ETag?.Tag, await ETagAsync(path));
        using var third = await ChangeAsync(path, Definition(kind, "third"), await ETagAsync(path));
        Assert.Equal(HttpStatusCode.OK, third.StatusCode);
        Assert.Equal("third", await NameAsync(path));
    }

    [Theory]
    [InlineData(Products)]
    [InlineData(Coupons)]
    [InlineData(Events)]
    public async Task Of_twenty_changes_of_the_same_version_one_is_made(string kind)
    {
        var path = await CreateAsync(kind);
        var read = await ETagAsync(path);

        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => ChangeAsync(path, Definition(kind, $"change {i}"), read)));

        var made = Array.FindIndex(answers, a => a.StatusCode == HttpStatusCode.OK);
        Assert.Equal($"change {made}", await NameAsync(path));
        foreach (var refused in answers.Where((_, i) => i != made)) await refused.ShouldBeProblemAsync(HttpStatusCode.PreconditionFailed, "stale-version");
        foreach (var answer in answers) answer.Dispose();
    }

    [Theory]
    [InlineData(null, HttpStatusCode.OK)]
    [InlineData("*", HttpStatusCode.OK)]
    [InlineData("\"1\"", HttpStatusCode.OK)]
    [InlineData("\"7\", \"1\"", HttpStatusCode.OK)]
    [InlineData("W/\"1\"", HttpStatusCode.PreconditionFailed)]
    [InlineData("\"01\"", HttpStatusCode.PreconditionFailed)]
    [InlineData("\"of another server\"", HttpStatusCode.PreconditionFailed)]
    [InlineData("1", HttpStatusCode.BadRequest)]
    public async Task If_Match_is_understood_as_HTTP_defines_it(string? ifMatch, HttpStatusCode expected)
    {
        var path = await CreateAsync(Products);
        Assert.Equal("\"1\"", await ETagAsync(path));

        using var answer = await ChangeAsync(path, Definition(Products, "changed"), ifMatch);

        Assert.Equal(expected, answer.StatusCode);
        Assert.Equal(expected == HttpStatusCode.OK ? "changed" : "new", await NameAsync(path));
    }

    [Fact]
    public async Task What_does_not_exist_has_no_stale_version()
    {
        using var answer = await ChangeAsync($"/api/admin/products/{long.MaxValue}", Definition(Products, "nothing"), "\"1\"");
        await answer.ShouldBeProblemAsync(HttpStatusCode.NotFound, "product-not-found");
    }

    [Fact]
    public async Task A_sale_that_goes_on_makes_no_definition_stale_and_a_change_leaves_the_stock_alone()
    {
        var product = await Stack.ProductAsync(stock: 10);
        var (path, read) = ($"/api/admin/products/{product.Id}", await ETagAsync($"/api/admin/products/{product.Id}"));
        using (var adjusted = await Stack.Admin.PostAsJsonAsync($"{path}/stock", new { delta = -3, reason = "broken" }, Cancelled)) adjusted.EnsureSuccessStatusCode();

        using var answer = await ChangeAsync(path, Definition(Products, "renamed"), read);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var changed = (await answer.Content.ReadFromJsonAsync<Product>(Cancelled))!;
        Assert.Equal(("renamed", 7, 2), (changed.Name, changed.Stock, changed.Version));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task What_was_read_before_an_event_opened_is_stale()
    {
        var coupon = await Stack.CouponAsync(total: 1);
        var sale = await Stack.EventAsync(opensIn: 3600, couponIds: [coupon.Id]);
        var (path, couponPath) = ($"/api/admin/events/{sale.Id}", $"/api/admin/coupons/{coupon.Id}");
        var (read, couponRead) = (await ETagAsync(path), await ETagAsync(couponPath));
        using (var opened = await Stack.EventActionAsync(sale.Id, "open")) opened.EnsureSuccessStatusCode();

        using var stale = await ChangeAsync(path, Definition(Events, "too late"), read);
        using var staleCoupon = await ChangeAsync(couponPath, Definition(Coupons, "too late"), couponRead);
        using var open = await ChangeAsync(path, Definition(Events, "too late"), await ETagAsync(path));

        await stale.ShouldBeProblemAsync(HttpStatusCode.PreconditionFailed, "stale-version");
        await staleCoupon.ShouldBeProblemAsync(HttpStatusCode.PreconditionFailed, "stale-version");
        await open.ShouldBeProblemAsync(HttpStatusCode.Conflict, "event-not-schedulable");
        Assert.Equal(sale.Name, await NameAsync(path));
        Assert.Equal(coupon.Name, await NameAsync(couponPath));
    }

    [Fact]
    public async Task An_event_is_changed_with_its_coupons_or_not_at_all()
    {
        var coupon = await Stack.CouponAsync(total: 1);
        var sale = await Stack.EventAsync(opensIn: 3600, couponIds: [coupon.Id]);
        var path = $"/api/admin/events/{sale.Id}";
        var read = await ETagAsync(path);

        using var refused = await ChangeAsync(path, new { name = "half", opensAt = sale.OpensAt, closesAt = (DateTime?)null, couponIds = new[] { long.MaxValue }, productIds = Array.Empty<long>(), waitingRoomRate = (int?)null, maxPerCustomer = (int?)null }, read);

        await refused.ShouldBeProblemAsync(HttpStatusCode.NotFound, "coupon-not-found");
        Assert.Equal(read, await ETagAsync(path));
        Assert.Equal(sale.Name, await NameAsync(path));
        Assert.Equal([coupon.Id], (await Stack.FindEventAsync(sale.Id)).CouponIds);
        Assert.Equal("WAITING", (await Stack.Admin.GetFromJsonAsync<Coupon>($"/api/admin/coupons/{coupon.Id}", Cancelled))!.Status);
    }

    [Fact]
    public async Task A_change_that_MySQL_gives_up_for_another_one_is_made_again_as_a_whole()
    {
        var sale = await Stack.EventAsync(opensIn: null);
        var product = await Stack.ProductAsync(stock: 1);
        var database = Stack.Services.GetRequiredService<MySqlDatabase>();
        var (holding, crossed, tries) = (new TaskCompletionSource(), new TaskCompletionSource(), 0);
        // This transaction has more rows than the other one, so MySQL rolls back the other one.
        var other = database.ExecuteInTransactionAsync(async transaction =>
        {
            await transaction.ExecuteAsync("UPDATE product SET created_at = created_at + INTERVAL 1 SECOND ORDER BY id DESC LIMIT 5");
            holding.SetResult();
            await crossed.Task;
            return await transaction.ExecuteAsync("UPDATE event SET created_at = created_at + INTERVAL 1 SECOND WHERE id = @Id", new { sale.Id });
        }, Cancelled);
        await holding.Task;

        var changed = await Stack.Services.GetRequiredService<EventDefinitions>().ChangeAsync(sale.Id, new("changed", null, null, [], [], null), [sale.Version], async transaction =>
        {
            if (tries++ == 0) crossed.SetResult();
            await transaction.ExecuteAsync("UPDATE product SET created_at = created_at WHERE id = @Id", new { product.Id });
        }, Cancelled);

        Assert.Equal((true, 2, 1), (changed, tries, await other));
        var found = (await Stack.Services.GetRequiredService<EventDefinitions>().FindAsync(sale.Id, Cancelled))!;
        Assert.Equal(("changed", sale.Version + 1), (found.Name, found.Version));
    }

    [Fact]
    public async Task A_catalogue_that_cannot_be_written_says_when_to_come_again()
    {
        var path = await CreateAsync(Products);
        var database = Stack.Services.GetRequiredService<MySqlDatabase>();
        using var admin = Stack.ImpatientAdmin();
        await database.ExecuteAsync("SET GLOBAL super_read_only = ON", null, Cancelled);
        try
        {
            using var created = await admin.PostAsJsonAsync("/api/admin/products", Definition(Products, "new"), Cancelled);
            using var changed = await admin.PutAsJsonAsync(path, Definition(Products, "changed"), Cancelled);
            using var listed = await admin.GetAsync("/api/products", Cancelled);

            foreach (var answer in new[] { created, changed })
            {
                await answer.ShouldBeProblemAsync(HttpStatusCode.ServiceUnavailable, "dependency-unavailable");
                Assert.NotNull(answer.Headers.RetryAfter);
            }

            Assert.Equal(HttpStatusCode.OK, listed.StatusCode);
        }
        finally
        {
            await database.ExecuteAsync("SET GLOBAL super_read_only = OFF", null, CancellationToken.None);
        }
    }

    [Fact]
    public async Task A_list_and_a_single_answer_say_the_same_and_times_are_in_UTC()
    {
        var coupon = await Stack.CouponAsync(total: 1);
        var product = await Stack.ProductAsync(stock: 1);
        var opensAt = new DateTimeOffset(2998, 7, 1, 9, 30, 0, 123, TimeSpan.FromHours(9));
        using var created = await Stack.Admin.PostAsJsonAsync("/api/admin/events", new { name = "listed", opensAt, couponIds = new[] { coupon.Id }, productIds = new[] { product.Id } }, Cancelled);
        var path = created.Headers.Location!.ToString();

        foreach (var (one, list) in new[]
        {
            (path, "/api/admin/events"), (path, "/api/events"), ($"/api/admin/coupons/{coupon.Id}", "/api/admin/coupons"), ($"/api/admin/products/{product.Id}", "/api/admin/products"),
        })
        {
            var single = JsonNode.Parse(await Stack.Admin.GetStringAsync(one, Cancelled))!;
            // The public lists may be up to a second old.
            await Eventually.GetAsync(
                async () => JsonNode.Parse(await Stack.Admin.GetStringAsync(list, Cancelled))!.AsArray().FirstOrDefault(item => (long)item!["id"]! == (long)single["id"]!),
                item => JsonNode.DeepEquals(item, single));
        }

        var sale = JsonNode.Parse(await Stack.Admin.GetStringAsync(path, Cancelled))!;
        Assert.Equal(opensAt, DateTimeOffset.Parse((string)sale["opensAt"]!, CultureInfo.InvariantCulture));
        Assert.EndsWith("Z", (string)sale["opensAt"]!, StringComparison.Ordinal);
        using var cancelled = await Stack.EventActionAsync((long)sale["id"]!, "cancel");
    }

    [Fact]
    public async Task Statements_of_EF_Core_are_in_the_traces()
    {
        var texts = new List<string?>();
        using var source = new ActivitySource("test");
        using var listener = new ActivityListener
        {
            ShouldListenTo = s => s.Name is CommerceTelemetry.Name or "test",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = span =>
            {
                if (span.Parent?.OperationName == "asked") texts.Add(span.DisplayName);
            },
        };
        ActivitySource.AddActivityListener(listener);
        using (source.StartActivity("asked"))
        {
            await Stack.Services.GetRequiredService<ProductDefinitions>().ListOnSaleAsync(null, 200, Cancelled);
            await Stack.Services.GetRequiredService<ProductDefinitions>().ChangeAsync(long.MaxValue, new("none", 1, true, null), null, _ => Task.CompletedTask, Cancelled);
        }

        Assert.Equal(["SELECT product", "UPDATE product", "SELECT product"], texts);
    }

    static object Definition(string kind, string name) => kind switch
    {
        Products => new { name, price = 1000, onSale = true, maxPerCustomer = (int?)null },
        Coupons => new { name, discount = 1000, totalQuantity = 10, startsAt = "2026-01-01T00:00:00Z", endsAt = "2099-01-01T00:00:00Z", percent = (int?)null, minOrderAmount = (long?)null,
            validFrom = (string?)null, validUntil = (string?)null, productIds = (long[]?)null, eventIds = (long[]?)null },
        _ => new { name, opensAt = (string?)null, closesAt = (string?)null, couponIds = Array.Empty<long>(), productIds = Array.Empty<long>(), waitingRoomRate = (int?)null, maxPerCustomer = (int?)null },
    };

    async Task<string> CreateAsync(string kind)
    {
        using var answer = await Stack.Admin.PostAsJsonAsync($"/api/admin/{kind}", Definition(kind, "new"), Cancelled);
        Assert.True(answer.StatusCode == HttpStatusCode.Created, await answer.Content.ReadAsStringAsync(Cancelled));
        return answer.Headers.Location!.ToString();
    }

    async Task<HttpResponseMessage> ChangeAsync(string path, object definition, string? ifMatch)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, path) { Content = JsonContent.Create(definition) };
        if (ifMatch is not null) request.Headers.TryAddWithoutValidation("If-Match", ifMatch);
        return await Stack.Admin.SendAsync(request, Cancelled);
    }

    async Task<string> ETagAsync(string path)
    {
        using var answer = await Stack.Admin.GetAsync(path, Cancelled);
        return answer.EnsureSuccessStatusCode().Headers.ETag!.Tag;
    }

    async Task<string?> NameAsync(string path) => (string?)(await Stack.Admin.GetFromJsonAsync<JsonObject>(path, Cancelled))!["name"];
}
