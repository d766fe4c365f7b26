using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using Commerce.Core.Coupons;
using Commerce.Core.Inventory;
using Commerce.Core.Orders;

namespace Commerce.Tests;

/// <summary>One of many users that share a connection pool.</summary>
/// <param name="Client">Repeats requests after 503.</param>
/// <param name="Once">Never repeats.</param>
public sealed record Shopper(string Id, string Token, HttpClient Client, HttpClient Once)
{
    static readonly TimeSpan AnswerDeadline = TimeSpan.FromSeconds(15);

    /// <summary>The same user without repetitions.</summary>
    public Shopper Impatient => this with { Client = Once };

    /// <summary>A request of this user for a coupon.</summary>
    public HttpRequestMessage Issue(long couponId)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, $"/api/coupons/{couponId}/issue");
        request.Headers.Authorization = new("Bearer", Token);
        return request;
    }

    /// <summary>Requests a coupon once. Returns the refusal, "" for a success, or "unreachable" without a response.</summary>
    public async Task<string> PressAsync(long couponId)
    {
        using var limit = new CancellationTokenSource(AnswerDeadline);
        try
        {
            using var request = Issue(couponId);
            using var answer = await Once.SendAsync(request, limit.Token);
            return await answer.SlugAsync();
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException)
        {
            return "unreachable";
        }
    }

    /// <summary>
    /// Requests a coupon until the response is definite. Nobody else uses this user, so "already issued" after an indefinite response
    /// means that this user's earlier request succeeded.
    /// </summary>
    public Task<string> TakeAsync(long couponId) => TakeUntilAsync(couponId, TestContext.Current.CancellationToken);

    /// <inheritdoc cref="TakeAsync"/>
    /// <param name="couponId">The coupon.</param>
    /// <param name="giveUp">After this time an indefinite response is returned.</param>
    public async Task<string> TakeUntilAsync(long couponId, CancellationToken giveUp)
    {
        var open = false;
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            var slug = await PressAsync(couponId);
            if (slug is not ("unreachable" or "dependency-unavailable" or "gate-closed" or "overloaded" or "rate-limited"))
                return open && slug == "coupon-already-issued" ? "" : slug;
            open |= slug is "unreachable" or "dependency-unavailable";
            if (giveUp.IsCancellationRequested) return slug;
            await Eventually.PauseAsync(start, slug);
        }
    }

    /// <summary>A POST of this user with an Idempotency-Key; a new one by default. The path is sent as it is.</summary>
    public async Task<HttpResponseMessage> PostAsync(string path, object? body, string? key = null)
    {
        var uri = new Uri(Client.BaseAddress!.GetLeftPart(UriPartial.Authority) + path, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        using var request = new HttpRequestMessage(HttpMethod.Post, uri) { Content = JsonContent.Create(body) };
        request.Headers.Authorization = new("Bearer", Token);
        request.Headers.Add("Idempotency-Key", key ?? Guid.NewGuid().ToString());
        return await Client.SendAsync(request, TestContext.Current.CancellationToken);
    }

    /// <summary>A GET of this user.</summary>
    public async Task<HttpResponseMessage> GetAsync(string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Authorization = new("Bearer", Token);
        return await Client.SendAsync(request, TestContext.Current.CancellationToken);
    }

    /// <summary>Places an order; the response may be a refusal.</summary>
    public Task<HttpResponseMessage> OrderAsync(IEnumerable<OrderLine> lines, long? couponId = null, string? key = null) =>
        PostAsync("/api/orders", new { items = lines, shipping = Shoppers.Shipping, couponId }, key);

    /// <summary>Places an order; fails if it is refused.</summary>
    public Task<PlacedOrder> PlaceAsync(long productId, int quantity = 1, long? couponId = null) => PlaceAsync([new(productId, quantity)], couponId);

    /// <summary>Places an order; fails if it is refused.</summary>
    public async Task<PlacedOrder> PlaceAsync(IEnumerable<OrderLine> lines, long? couponId = null)
    {
        using var answer = await OrderAsync(lines, couponId);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        return (await answer.Content.ReadFromJsonAsync<PlacedOrder>())!;
    }
}

/// <summary>Crowds of users and their concurrent requests.</summary>
public static class Shoppers
{
    /// <summary>A valid address.</summary>
    public static object Shipping { get; } =
        new { recipient = "Hong Gildong", phone = "010-1234-5678", zipcode = "04524", address1 = "110 Sejong-daero, Jung-gu, Seoul", address2 = "3F" };

    static readonly ParallelOptions Together = new() { MaxDegreeOfParallelism = 64 };

    /// <summary>A new coupon for a test.</summary>
    /// <param name="change">Gives it terms.</param>
    public static async Task<Coupon> CouponAsync(
        this CommerceStack stack, int total, double startsInHours = -1, double endsInHours = 1, string? name = null, Func<CouponDefinition, CouponDefinition>? change = null)
    {
        var now = TimeProvider.System.GetUtcNow();
        var definition = new CouponDefinition(
            name ?? TestContext.Current.TestMethod?.MethodName ?? "test", 1000, total, now.AddHours(startsInHours), now.AddHours(endsInHours));
        using var answer = await stack.Admin.PostAsJsonAsync("/api/admin/coupons", change?.Invoke(definition) ?? definition);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        var coupon = (await answer.Content.ReadFromJsonAsync<Coupon>())!;
        stack.CreatedCoupons.Add(coupon.Id);
        return coupon;
    }

    /// <summary>The definition of a coupon.</summary>
    public static CouponDefinition Definition(this Coupon coupon) => new(
        coupon.Name, coupon.Discount, coupon.TotalQuantity, coupon.StartsAt, coupon.EndsAt, coupon.Percent, coupon.MinOrderAmount, coupon.ValidFrom, coupon.ValidUntil,
        coupon.ProductIds?.ToList(), coupon.EventIds?.ToList());

    /// <summary>A new product for a test.</summary>
    public static async Task<Product> ProductAsync(this CommerceStack stack, int stock, long price = 1000, string? name = null, int? maxPerCustomer = null)
    {
        using var answer = await stack.Admin.PostAsJsonAsync("/api/admin/products",
            new { name = name ?? TestContext.Current.TestMethod?.MethodName ?? "test", price, stock, maxPerCustomer });
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        return (await answer.Content.ReadFromJsonAsync<Product>())!;
    }

    /// <summary>The available stock of a product, as the Api shows it.</summary>
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
            shoppers[i] = new($"{prefix}-{i}", token.GetProperty("accessToken").GetString()!, stack.Anonymous, stack.Impatient);
        });
        return shoppers;
    }

    /// <summary>All users request at once, until each has a definite response.</summary>
    public static async Task<ConcurrentDictionary<string, string>> SellAsync(this IEnumerable<Shopper> shoppers, long couponId, TimeSpan? patience = null)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        deadline.CancelAfter(patience ?? TimeSpan.FromMinutes(2));
        var verdicts = new ConcurrentDictionary<string, string>();
        await Parallel.ForEachAsync(shoppers, Together, async (shopper, _) =>
        {
            var slug = await shopper.TakeUntilAsync(couponId, deadline.Token);
            if (slug is "" || slug.StartsWith("coupon-", StringComparison.Ordinal)) verdicts[shopper.Id] = slug;
        });
        return verdicts;
    }
}
