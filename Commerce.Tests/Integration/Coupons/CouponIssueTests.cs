using System.Net;
using System.Text.Json.Nodes;
using Commerce.Core.Database;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Integration.Coupons;

/// <summary>First come, first served.</summary>
public sealed class CouponIssueTests(CommerceStack stack) : StackTests(stack)
{
    MySqlDatabase Database => Stack.Services.GetRequiredService<MySqlDatabase>();

    [Fact]
    public async Task An_issued_coupon_lands_in_the_database()
    {
        var coupon = await Stack.CouponAsync(total: 10);
        using var alice = await Stack.UserAsync("alice");

        using var answer = await alice.PostAsync($"/api/coupons/{coupon.Id}/issue", null, Cancelled);

        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        Assert.Equal($"/api/coupons/{coupon.Id}/issue", answer.Headers.Location?.ToString());
        var body = await answer.Content.ReadFromJsonAsync<JsonObject>(Cancelled);
        Assert.Equal("PENDING", (string?)body!["status"]);
        await Eventually.EqualAsync("ISSUED", async () => (string?)(await alice.GetFromJsonAsync<JsonObject>(answer.Headers.Location))!["status"]);
        var own = await alice.GetFromJsonAsync<JsonArray>("/api/coupons/my", Cancelled);
        Assert.Contains(own!, c => (long?)c!["couponId"] == coupon.Id);
        Assert.Equal(1, await RowsAsync(coupon.Id));
    }

    [Fact]
    public async Task Two_thousand_users_on_five_hundred_coupons_get_exactly_five_hundred()
    {
        var coupon = await Stack.CouponAsync(total: 500);
        var users = await Stack.UsersAsync("crowd", 2000);

        var first = await users.SellAsync(coupon.Id);

        Assert.Equivalent(new Dictionary<string, int> { [""] = 500, ["coupon-sold-out"] = 1500 }, first.Values.CountBy(slug => slug).ToDictionary(), strict: true);
        await Eventually.EqualAsync(500, () => RowsAsync(coupon.Id));

        var second = await users.SellAsync(coupon.Id);

        Assert.All(first, f => Assert.Equal(f.Value == "" ? "coupon-already-issued" : "coupon-sold-out", second[f.Key]));
        var winners = await Database.QueryAsync<string>("SELECT user_id FROM coupon_issue WHERE coupon_id = @Id", coupon, Cancelled);
        Assert.Equal(first.Where(f => f.Value == "").Select(f => f.Key).Order(), winners.Order());
        Assert.Equal(500, await Database.SingleAsync<int>("SELECT issued_quantity FROM coupon WHERE id = @Id", coupon, Cancelled));
    }

    [Fact]
    public async Task A_user_gets_a_coupon_once_however_often_they_press()
    {
        var coupon = await Stack.CouponAsync(total: 100);
        var user = (await Stack.UsersAsync("impatient", 1))[0];

        var slugs = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => user.PressAsync(coupon.Id)));

        // The successful request may have received 503 first.
        Assert.InRange(slugs.Count(slug => slug == ""), slugs.Contains("dependency-unavailable") ? 0 : 1, 1);
        Assert.All(slugs, slug => Assert.Contains(slug, new[] { "", "coupon-already-issued", "gate-closed", "dependency-unavailable" }));
        await Eventually.EqualAsync(1, () => RowsAsync(coupon.Id));
    }

    [Fact]
    public async Task An_unknown_coupon_is_not_found()
    {
        using var user = await Stack.UserAsync("bob");
        using var answer = await user.PostAsync("/api/coupons/999999999/issue", null, Cancelled);
        await answer.ShouldBeProblemAsync(HttpStatusCode.NotFound, "coupon-not-found");
        using var status = await user.GetAsync("/api/coupons/999999999/issue", Cancelled);
        await status.ShouldBeProblemAsync(HttpStatusCode.NotFound, "coupon-not-issued");
    }

    [Theory]
    [InlineData(1, 2, "coupon-not-started")]
    [InlineData(-2, -1, "coupon-ended")]
    public async Task Outside_of_its_window_a_coupon_is_refused(int startsInHours, int endsInHours, string slug)
    {
        var coupon = await Stack.CouponAsync(total: 10, startsInHours, endsInHours);
        using var user = await Stack.UserAsync("bob");
        using var answer = await user.PostAsync($"/api/coupons/{coupon.Id}/issue", null, Cancelled);
        await answer.ShouldBeProblemAsync(HttpStatusCode.Conflict, slug);
        Assert.Equal(0, await RowsAsync(coupon.Id));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("not-a-token")]
    [InlineData("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSIsInJvbGUiOiJNRU1CRVIifQ.")]
    public async Task Without_a_good_token_nothing_is_issued(string? token)
    {
        var coupon = await Stack.CouponAsync(total: 10);
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/api/coupons/{coupon.Id}/issue");
        if (token is not null) request.Headers.Authorization = new("Bearer", token);
        using var answer = await Stack.Anonymous.SendAsync(request, Cancelled);
        await answer.ShouldBeProblemAsync(HttpStatusCode.Unauthorized, "unauthorized");
    }

    [Fact]
    public async Task The_public_list_shows_what_is_left()
    {
        var coupon = await Stack.CouponAsync(total: 10);
        await (await Stack.UsersAsync("lister", 3)).SellAsync(coupon.Id);
        var listed = await Eventually.GetAsync(
            async () => (await Stack.Anonymous.GetFromJsonAsync<JsonArray>("/api/coupons", Cancelled))!.Single(c => (long?)c!["id"] == coupon.Id)!,
            one => (int?)one["remaining"] == 7);
        Assert.Equal(10, (int?)listed["totalQuantity"]);
        Assert.EndsWith("Z", (string?)listed["startsAt"]);
    }

    [Fact]
    public async Task A_flood_from_one_user_is_told_to_slow_down()
    {
        var coupon = await Stack.CouponAsync(total: 10);
        var users = await Stack.UsersAsync("flood", 1);
        List<HttpResponseMessage> answers = [];
        // A slow machine may need more than a second for a hundred requests.
        var refused = await Eventually.GetAsync(async () =>
        {
            answers.AddRange(await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => users[0].Once.SendAsync(users[0].Issue(coupon.Id), Cancelled))));
            return answers.Where(a => a.StatusCode == HttpStatusCode.TooManyRequests).ToList();
        }, some => some.Count > 0);
        await refused[0].ShouldBeProblemAsync(HttpStatusCode.TooManyRequests, "rate-limited");
        Assert.NotNull(refused[0].Headers.RetryAfter);
        Assert.InRange(answers.Count(a => a.StatusCode == HttpStatusCode.Accepted), 0, 1);
    }

    Task<int> RowsAsync(long couponId) =>
        Database.SingleAsync<int>("SELECT COUNT(*) FROM coupon_issue WHERE coupon_id = @couponId", new { couponId }, Cancelled);
}
