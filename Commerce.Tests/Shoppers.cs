using System.Collections.Concurrent;
using System.Text.Json;
using Commerce.Core.Coupons;
using Commerce.Core.Inventory;
using Commerce.Core.Orders;

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

    /// <summary>A POST of this user with an Idempotency-Key, a new one where none is given.</summary>
    public async Task<HttpResponseMessage> PostAsync(string path, object? body, string? key = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(body) };
        request.Headers.Authorization = new("Bearer", Token);
        request.Headers.Add("Idempotency-Key", key ?? Guid.NewGuid().ToString());
        return await Client.SendAsync(request, TestContext.Current.CancellationToken);
    }

    /// <summary>What this user gets from the Api.</summary>
    public async Task<HttpResponseMessage> GetAsync(string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Authorization = new("Bearer", Token);
        return await Client.SendAsync(request, TestContext.Current.CancellationToken);
    }

    /// <summary>Orders products; the answer may be a refusal.</summary>
    public Task<HttpResponseMessage> OrderAsync(IEnumerable<OrderLine> lines, long? couponId = null, string? key = null) =>
        PostAsync("/api/orders", new { items = lines, shipping = Shoppers.Shipping, couponId }, key);

    /// <summary>Orders products and fails where that is refused.</summary>
    public async Task<PlacedOrder> PlaceAsync(long productId, int quantity = 1, long? couponId = null)
    {
        using var answer = await OrderAsync([new(productId, quantity)], couponId);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        return (await answer.Content.ReadFromJsonAsync<PlacedOrder>())!;
    }
}

/// <summary>Crowds, and what they do at once.</summary>
public static class Shoppers
{
    /// <summary>An address that is taken.</summary>
    public static object Shipping { get; } =
        new { recipient = "Hong Gildong", phone = "010-1234-5678", zipcode = "04524", address1 = "110 Sejong-daero, Jung-gu, Seoul", address2 = "3F" };

    static readonly ParallelOptions Together = new() { MaxDegreeOfParallelism = 64 };

    /// <summary>A coupon of its own for a test.</summary>
    public static async Task<Coupon> CouponAsync(
        this CommerceStack stack, int total, double startsInHours = -1, double endsInHours = 1, string? name = null)
    {
        var now = TimeProvider.System.GetUtcNow();
        using var answer = await stack.Admin.PostAsJsonAsync("/api/admin/coupons", new
        {
            name = name ?? TestContext.Current.TestMethod?.MethodName ?? "test", discount = 1000, totalQuantity = total,
            startsAt = now.AddHours(startsInHours), endsAt = now.AddHours(endsInHours),
        });
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        return (await answer.Content.ReadFromJsonAsync<Coupon>())!;
    }

    /// <summary>A product of its own for a test.</summary>
    public static async Task<Product> ProductAsync(this CommerceStack stack, int stock, long price = 1000, string? name = null)
    {
        using var answer = await stack.Admin.PostAsJsonAsync("/api/admin/products",
            new { name = name ?? TestContext.Current.TestMethod?.MethodName ?? "test", price, stock });
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        return (await answer.Content.ReadFromJsonAsync<Product>())!;
    }

    /// <summary>Pieces of a product that can be ordered, as the Api shows them.</summary>
    public static async Task<long> AvailableAsync(this CommerceStack stack, long productId)
    {
        var product = await stack.Anonymous.GetFromJsonAsync<JsonElement>($"/api/products/{productId}");
        return product.GetProperty("available").GetInt64();
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
