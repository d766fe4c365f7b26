using System.Collections.Concurrent;
using System.Text.Json;
using Commerce.Core.Coupons;

namespace Commerce.Tests;

/// <summary>One of many users, over a shared connection pool.</summary>
public sealed record Shopper(string Id, string Token, HttpClient Client)
{
    /// <summary>A request of this user for a coupon.</summary>
    public HttpRequestMessage Issue(long couponId)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, $"/api/coupons/{couponId}/issue");
        request.Headers.Authorization = new("Bearer", Token);
        return request;
    }
}

/// <summary>Crowds, and what they do at once.</summary>
public static class Shoppers
{
    static readonly ParallelOptions Together = new() { MaxDegreeOfParallelism = 64 };

    /// <summary>A coupon of its own for a test.</summary>
    public static async Task<Coupon> CouponAsync(this CommerceStack stack, int total, double startsInHours = -1, double endsInHours = 1)
    {
        var now = TimeProvider.System.GetUtcNow();
        using var answer = await stack.Admin.PostAsJsonAsync("/api/admin/coupons", new
        {
            name = TestContext.Current.TestMethod?.MethodName ?? "test", discount = 1000, totalQuantity = total,
            startsAt = now.AddHours(startsInHours), endsAt = now.AddHours(endsInHours),
        });
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        return (await answer.Content.ReadFromJsonAsync<Coupon>())!;
    }

    /// <summary>Users <c>PREFIX-0</c>, <c>PREFIX-1</c> … with their tokens.</summary>
    public static async Task<IReadOnlyList<Shopper>> UsersAsync(this CommerceStack stack, string prefix, int count)
    {
        var shoppers = new Shopper[count];
        await Parallel.ForAsync(0, count, Together, async (i, ct) =>
        {
            using var answer = await stack.Anonymous.PostAsJsonAsync("/api/auth/token", new { user = $"{prefix}-{i}", role = "MEMBER" }, ct);
            var token = await answer.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<JsonElement>(ct);
            shoppers[i] = new($"{prefix}-{i}", token.GetProperty("accessToken").GetString()!, stack.Anonymous);
        });
        return shoppers;
    }

    /// <summary>Everybody presses at once. Returns the refusal by user; "" for a success, "unreachable" where no answer came.</summary>
    public static async Task<IReadOnlyDictionary<string, string>> IssueAsync(this IReadOnlyList<Shopper> shoppers, long couponId)
    {
        var slugs = new ConcurrentDictionary<string, string>();
        await Parallel.ForEachAsync(shoppers, Together, async (shopper, ct) =>
        {
            try
            {
                using var request = shopper.Issue(couponId);
                using var answer = await shopper.Client.SendAsync(request, ct);
                slugs[shopper.Id] = await answer.SlugAsync();
            }
            catch (HttpRequestException)
            {
                slugs[shopper.Id] = "unreachable";
            }
        });
        return slugs;
    }
}
