using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Commerce.Core.Coupons;

namespace Commerce.Tests.Integration.Coupons;

/// <summary>Tests the actions of administrators, and that they take effect soon.</summary>
public sealed class CouponAdministrationTests(CommerceStack stack) : StackTests(stack)
{
    [Fact]
    public async Task Added_stock_is_given_out()
    {
        var coupon = await Stack.CouponAsync(total: 1);
        var users = await Stack.UsersAsync("stock", 3);
        Assert.Equal(["", "coupon-sold-out", "coupon-sold-out"], (await users.SellAsync(coupon.Id)).Values.Order());

        using var answer = await Stack.Admin.PostAsJsonAsync($"/api/admin/coupons/{coupon.Id}/stock", new { delta = 1 }, Cancelled);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);

        await Eventually.GetAsync(async () => (await users.SellAsync(coupon.Id)).Values.Count(v => v == ""), fresh => fresh == 1);
        Assert.Single((await users.SellAsync(coupon.Id)).Values, v => v == "coupon-sold-out");
    }

    [Fact]
    public async Task A_cancelled_coupon_is_over_and_stays_with_who_has_it()
    {
        var coupon = await Stack.CouponAsync(total: 100);
        var users = await Stack.UsersAsync("cancel", 100);
        Assert.Equal("", (await users.Take(1).SellAsync(coupon.Id)).Values.Single());

        using var answer = await Stack.Admin.PostAsync($"/api/admin/coupons/{coupon.Id}/cancel", null, Cancelled);

        // Each attempt uses a new user, who may get the last coupon.
        var next = 1;
        await Eventually.EqualAsync("coupon-ended", () => users[next++].TakeAsync(coupon.Id));
        using var owner = await Stack.UserAsync(users[0].Id);
        await Eventually.EqualAsync("ISSUED", async () => (string?)(await owner.GetFromJsonAsync<JsonObject>($"/api/coupons/{coupon.Id}/issue"))!["status"]);
    }

    [Fact]
    public async Task A_changed_window_holds()
    {
        var coupon = await Stack.CouponAsync(total: 100);
        var users = await Stack.UsersAsync("window", 100);
        Assert.Equal("", (await users.Take(1).SellAsync(coupon.Id)).Values.Single());

        using var answer = await Stack.Admin.PutAsJsonAsync(
            $"/api/admin/coupons/{coupon.Id}", coupon.Definition() with { StartsAt = coupon.StartsAt.AddDays(1), EndsAt = coupon.EndsAt.AddDays(2) }, Cancelled);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        // Each attempt uses a new user, who may get the last coupon.
        var next = 1;
        await Eventually.EqualAsync("coupon-not-started", () => users[next++].TakeAsync(coupon.Id));
    }

    [Fact]
    public async Task A_change_holds_within_a_second_on_every_replica()
    {
        await using var other = await ApiReplica.StartAsync(Stack);
        var next = 0;
        var coupon = await Stack.CouponAsync(total: 1);
        Assert.Equal("", await (await Stack.UsersAsync("first", 1))[0].TakeAsync(coupon.Id));
        await BothSayAsync("coupon-sold-out");

        using var added = await Stack.Admin.PostAsJsonAsync($"/api/admin/coupons/{coupon.Id}/stock", new { delta = 1000 }, Cancelled);
        await BothSayAsync("", before: "coupon-sold-out");
        using var cancelled = await Stack.Admin.PostAsync($"/api/admin/coupons/{coupon.Id}/cancel", null, Cancelled);
        await BothSayAsync("coupon-ended", before: "");

        // A request that is sent more than a second after the change must see it. The round trip does not count, so a slow machine only
        // sends the request later.
        Task BothSayAsync(string slug, string? before = null)
        {
            var changed = TimeProvider.System.GetTimestamp();
            return Task.WhenAll(new[] { Stack.Impatient.BaseAddress!, other.Url }.Select(url => Eventually.EqualAsync(slug, async () =>
            {
                using var client = await other.UserAsync($"soon-{Interlocked.Increment(ref next)}");
                var asked = TimeProvider.System.GetElapsedTime(changed);
                using var answer = await client.PostAsync(new Uri(url, $"/api/coupons/{coupon.Id}/issue"), null, Cancelled);
                var said = await answer.SlugAsync();
                Assert.False(said == before && asked > TimeSpan.FromSeconds(1), $"{url} still says \"{said}\" when asked {asked} after the change.");
                return said;
            })));
        }
    }

    [Fact]
    public async Task Redis_forgets_a_coupon_that_is_over_unless_it_goes_on()
    {
        var coupon = await Stack.CouponAsync(total: 10);
        Assert.Equal("", (await (await Stack.UsersAsync("forgotten", 1)).SellAsync(coupon.Id)).Values.Single());
        await Eventually.GetAsync(LeftAsync, left => left.All(ms => ms == -1));

        await ChangeAsync(coupon.StartsAt.AddHours(-2), coupon.StartsAt.AddMinutes(1));
        await Eventually.GetAsync(LeftAsync, left => left.All(ms => ms > 0));

        await ChangeAsync(coupon.StartsAt, coupon.EndsAt);
        await Eventually.GetAsync(LeftAsync, left => left.All(ms => ms == -1));

        async Task<long[]> LeftAsync() =>
            [.. await Task.WhenAll(new CouponKeys(coupon.Id).All[..2].Select(async key => (long)await Stack.RedisAsync("PTTL", key)))];

        async Task ChangeAsync(DateTime startsAt, DateTime endsAt)
        {
            using var answer = await Stack.Admin.PutAsJsonAsync(
                $"/api/admin/coupons/{coupon.Id}", coupon.Definition() with { StartsAt = startsAt, EndsAt = endsAt }, Cancelled);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }
    }

    [Fact]
    public async Task A_coupon_is_found_where_its_creation_says()
    {
        var coupon = await Stack.CouponAsync(total: 7);
        Assert.Equal(coupon.Id, (long?)(await Stack.Admin.GetFromJsonAsync<JsonObject>($"/api/admin/coupons/{coupon.Id}", Cancelled))!["id"]);
        Assert.Contains(await Stack.Admin.GetFromJsonAsync<JsonArray>("/api/admin/coupons", Cancelled) ?? [], c => (long?)c!["id"] == coupon.Id);
        using var unknown = await Stack.Admin.GetAsync("/api/admin/coupons/999999999", Cancelled);
        await unknown.ShouldBeProblemAsync(HttpStatusCode.NotFound, "coupon-not-found");
    }

    [Fact]
    public async Task The_terms_of_a_coupon_are_kept_and_told_to_everybody_and_its_owner()
    {
        var product = await Stack.ProductAsync(stock: 1);
        var sale = await Stack.EventAsync(opensIn: 3600);
        var from = new DateTimeOffset(2027, 1, 1, 0, 0, 0, TimeSpan.FromHours(9));
        var coupon = await Stack.CouponAsync(total: 1, change: d => d with
        {
            Percent = 15, MinOrderAmount = 50_000, ValidFrom = from, ValidUntil = from.AddYears(100), ProductIds = [product.Id], EventIds = [sale.Id],
        });
        var user = (await Stack.UsersAsync("terms", 1))[0];
        Assert.Equal("", await user.TakeAsync(coupon.Id));

        JsonNode[] told =
        [
            (await Stack.Admin.GetFromJsonAsync<JsonNode>($"/api/admin/coupons/{coupon.Id}", Cancelled))!,
            // The list is cached for a moment.
            (await Eventually.GetAsync(async () => (await Stack.Anonymous.GetFromJsonAsync<JsonArray>("/api/coupons", Cancelled))!.SingleOrDefault(c => (long)c!["id"]! == coupon.Id), c => c is not null))!,
            (await OwnAsync())!,
        ];
        foreach (var one in told)
            Assert.Equal(
                (15, 50_000L, from.UtcDateTime, from.AddYears(100).UtcDateTime, product.Id, sale.Id),
                ((int)one["percent"]!, (long)one["minOrderAmount"]!, one["validFrom"]!.GetValue<DateTime>(), one["validUntil"]!.GetValue<DateTime>(),
                    (long)one["productIds"]!.AsArray().Single()!, (long)one["eventIds"]!.AsArray().Single()!));

        using var changed = await Stack.Admin.PutAsJsonAsync(
            $"/api/admin/coupons/{coupon.Id}", coupon.Definition() with { Percent = null, MinOrderAmount = null, ValidFrom = null, ValidUntil = null, ProductIds = null, EventIds = null }, Cancelled);
        var without = (await changed.Content.ReadFromJsonAsync<Coupon>(Cancelled))!;
        Assert.Null(without.Percent ?? without.MinOrderAmount ?? without.ValidFrom?.Ticks ?? without.ValidUntil?.Ticks ?? without.ProductIds?.Count ?? without.EventIds?.Count);

        async Task<JsonNode?> OwnAsync()
        {
            using var answer = await user.GetAsync("/api/coupons/my");
            return (await answer.Content.ReadFromJsonAsync<JsonArray>(Cancelled))!.Single();
        }
    }

    [Fact]
    public async Task A_coupon_for_a_product_or_event_that_does_not_exist_is_refused()
    {
        var coupon = await Stack.CouponAsync(total: 1);

        using var created = await Stack.Admin.PostAsJsonAsync("/api/admin/coupons", coupon.Definition() with { ProductIds = [999_999_999] }, Cancelled);
        using var changed = await Stack.Admin.PutAsJsonAsync($"/api/admin/coupons/{coupon.Id}", coupon.Definition() with { EventIds = [999_999_999] }, Cancelled);

        await created.ShouldBeProblemAsync(HttpStatusCode.NotFound, "product-not-found");
        await changed.ShouldBeProblemAsync(HttpStatusCode.NotFound, "event-not-found");
    }

    [Fact]
    public async Task A_change_must_name_every_term()
    {
        var coupon = await Stack.CouponAsync(total: 1);

        using var answer = await Stack.Admin.PutAsJsonAsync($"/api/admin/coupons/{coupon.Id}", new { coupon.Name, coupon.Discount, coupon.TotalQuantity, coupon.StartsAt, coupon.EndsAt }, Cancelled);

        await answer.ShouldBeProblemAsync(HttpStatusCode.BadRequest, "validation");
        Assert.Equal(
            ["eventIds", "minOrderAmount", "percent", "productIds", "validFrom", "validUntil"],
            (await answer.Content.ReadFromJsonAsync<JsonObject>(Cancelled))!["errors"]!.AsObject().Select(e => e.Key).Order());
    }

    [Fact]
    public async Task A_coupon_cannot_grow_without_end()
    {
        var coupon = await Stack.CouponAsync(total: 99_999_999);
        using var answer = await Stack.Admin.PostAsJsonAsync($"/api/admin/coupons/{coupon.Id}/stock", new { delta = 2 }, Cancelled);
        await answer.ShouldBeProblemAsync(HttpStatusCode.Conflict, "coupon-too-large");
    }

    [Fact]
    public async Task A_coupon_cannot_shrink()
    {
        var coupon = await Stack.CouponAsync(total: 10);
        using var answer = await Stack.Admin.PutAsJsonAsync($"/api/admin/coupons/{coupon.Id}", coupon.Definition() with { TotalQuantity = 9 }, Cancelled);
        await answer.ShouldBeProblemAsync(HttpStatusCode.Conflict, "coupon-cannot-shrink");
    }

    [Theory]
    [InlineData("""{"name":"","discount":0,"totalQuantity":0,"startsAt":"2026-01-02T00:00:00Z","endsAt":"2026-01-01T00:00:00Z"}""", "name", "discount", "totalQuantity", "endsAt")]
    [InlineData("""{"name":"x","discount":1,"totalQuantity":1,"startsAt":"0001-01-01T00:00:00Z","endsAt":"2026-01-01T00:00:00Z"}""", "startsAt")]
    [InlineData("""
        {"name":"x","discount":1,"totalQuantity":1,"startsAt":"2026-01-01T00:00:00Z","endsAt":"2026-01-02T00:00:00Z",
        "percent":101,"minOrderAmount":0,"validFrom":"1999-01-01T00:00:00Z","validUntil":"2026-01-01T00:00:00Z","productIds":[],"eventIds":[1,1]}
        """, "percent", "minOrderAmount", "validFrom", "validUntil", "productIds", "eventIds")]
    [InlineData("""
        {"name":"x","discount":1,"totalQuantity":1,"startsAt":"2026-01-01T00:00:00Z","endsAt":"2026-01-02T00:00:00Z",
        "validFrom":"2026-03-01T00:00:00Z","validUntil":"2026-03-01T00:00:00.0000001Z"}
        """, "validUntil")]
    public async Task A_coupon_that_makes_no_sense_is_refused_by_field(string body, params string[] fields)
    {
        using var answer = await Stack.Admin.PostAsync("/api/admin/coupons", new StringContent(body, Encoding.UTF8, "application/json"), Cancelled);
        await answer.ShouldBeProblemAsync(HttpStatusCode.BadRequest, "validation");
        var errors = (await answer.Content.ReadFromJsonAsync<JsonObject>(Cancelled))!["errors"]!.AsObject();
        Assert.Equal(fields.Order(), errors.Select(e => e.Key).Order());
    }

    [Theory]
    [InlineData("{ not json", HttpStatusCode.BadRequest, "validation")]
    [InlineData("[]", HttpStatusCode.BadRequest, "validation")]
    [InlineData("", HttpStatusCode.BadRequest, "validation")]
    public async Task Rubbish_is_refused_with_a_problem(string body, HttpStatusCode status, string slug)
    {
        using var answer = await Stack.Admin.PostAsync("/api/admin/coupons", new StringContent(body, Encoding.UTF8, "application/json"), Cancelled);
        await answer.ShouldBeProblemAsync(status, slug);
    }

    [Fact]
    public async Task A_body_that_is_too_large_is_refused()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/admin/coupons")
        {
            Content = new StringContent(new string('x', 100_000), Encoding.UTF8, "application/json"),
            // The client sends the body only after the first response. Otherwise the server may close the connection while the body is
            // still being sent.
            Headers = { ExpectContinue = true },
        };
        using var answer = await Stack.Admin.SendAsync(request, Cancelled);
        await answer.ShouldBeProblemAsync(HttpStatusCode.RequestEntityTooLarge, "payload-too-large");
    }

    [Fact]
    public async Task Members_may_not_administer()
    {
        using var member = await Stack.UserAsync("alice");
        using var answer = await member.PostAsJsonAsync("/api/admin/coupons", new { }, Cancelled);
        await answer.ShouldBeProblemAsync(HttpStatusCode.Forbidden, "forbidden");
    }
}
