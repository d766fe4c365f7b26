using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Commerce.Core.Database;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Integration;

/// <summary>The headers If-Match, If-None-Match and Idempotency-Key: a request honours them, or says that it does not.</summary>
public sealed partial class AdministrationHeaderTests(CommerceStack stack) : StackTests(stack)
{
    MySqlDatabase Database => Stack.Services.GetRequiredService<MySqlDatabase>();

    [Fact]
    public async Task A_precondition_that_a_change_does_not_check_is_refused()
    {
        var changes = await ChangesAsync();
        Assert.True(changes.Count > 25, $"Only {changes.Count} changes were found.");
        foreach (var (method, path, operation) in changes)
        {
            var takesIfMatch = Parameters(operation).Any(p => (string)p["name"]! == "If-Match");
            Assert.Equal(method == HttpMethod.Put, takesIfMatch);
            foreach (var (header, value) in new[] { ("If-Match", "\"1\""), ("If-None-Match", "*") })
            {
                if (takesIfMatch && header == "If-Match") continue;
                using var request = new HttpRequestMessage(method, path) { Content = await ExampleAsync(operation) };
                request.Headers.TryAddWithoutValidation(header, value);
                using var answer = await Stack.Admin.SendAsync(request, Cancelled);
                Assert.True(answer.StatusCode == HttpStatusCode.BadRequest && await answer.SlugAsync() == "precondition-not-supported", $"{method} {path} {header}: {answer.StatusCode}");
            }
        }
    }

    [Fact]
    public async Task Every_change_takes_a_key_or_says_that_it_needs_none()
    {
        var keys = (await ChangesAsync()).ToLookup(c => Parameters(c.Operation).Where(p => (string)p["name"]! == "Idempotency-Key").Select(p => (bool?)(p["required"] ?? false)).SingleOrDefault());

        Assert.Equal(
            ["AddCouponStock", "AdjustStock", "CreateCoupon", "CreateEvent", "CreateProduct"],
            keys[false].Select(c => (string)c.Operation["operationId"]!).Order(StringComparer.Ordinal));
        Assert.All(keys[null], c => Assert.Contains("needs no Idempotency-Key", (string)c.Operation["description"]!, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("products")]
    [InlineData("coupons")]
    [InlineData("events")]
    public async Task An_item_that_is_created_with_a_key_is_created_once(string kind)
    {
        var (name, key) = ($"once-{Guid.NewGuid():N}", Guid.NewGuid().ToString());
        var path = $"/api/admin/{kind}";

        var told = await ConcurrentlyAsync(path, Definition(kind, name), key);

        var created = Assert.Single(told.Distinct());
        Assert.Equal(1, await Database.SingleAsync<int>($"SELECT COUNT(*) FROM {kind[..^1]} WHERE name = @name", new { name }, Cancelled));
        using var other = await SendAsync(path, Definition(kind, name + "-2"), key);
        await other.ShouldBeProblemAsync(HttpStatusCode.UnprocessableEntity, "idempotency-key-reused");
        using var repeated = await SendAsync(path, Definition(kind, name), key);
        Assert.Equal(HttpStatusCode.Created, repeated.StatusCode);
        Assert.Equal(created, await repeated.Content.ReadAsStringAsync(Cancelled));
        Assert.Equal($"{path}/{JsonNode.Parse(created)!["id"]}", repeated.Headers.Location?.ToString());
        // Without a key, every request creates an item.
        using var another = await SendAsync(path, Definition(kind, name), null);
        Assert.Equal(HttpStatusCode.Created, another.StatusCode);
        // The Api died before it stored the response.
        await Database.ExecuteAsync("""
            UPDATE idempotency_key SET status = NULL, content_type = NULL, location = NULL, answer = NULL, claim = 'dead', lease_until = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND
            WHERE answer LIKE CONCAT('%', @name, '%')
            """, new { name }, Cancelled);
        using var lost = await SendAsync(path, Definition(kind, name), key);
        await lost.ShouldBeProblemAsync(HttpStatusCode.Conflict, "idempotency-response-lost");
        Assert.Equal(2, await Database.SingleAsync<int>($"SELECT COUNT(*) FROM {kind[..^1]} WHERE name = @name", new { name }, Cancelled));
        Assert.Single(await ActionsAsync($"{kind}/{JsonNode.Parse(created)!["id"]}"));
    }

    [Theory]
    [InlineData(-2)]
    [InlineData(2)]
    public async Task Stock_that_is_changed_with_a_key_is_changed_once(int delta)
    {
        var product = await Stack.ProductAsync(stock: 20);
        var coupon = await Stack.CouponAsync(20);

        var stocks = await ConcurrentlyAsync($"/api/admin/products/{product.Id}/stock", new { delta, reason = "Counted" }, Guid.NewGuid().ToString());
        var totals = await ConcurrentlyAsync($"/api/admin/coupons/{coupon.Id}/stock", new { delta = Math.Abs(delta) }, Guid.NewGuid().ToString());

        Assert.Equal(20 + delta, (int)JsonNode.Parse(Assert.Single(stocks.Distinct()))!["stock"]!);
        Assert.Equal(20 + Math.Abs(delta), (int)JsonNode.Parse(Assert.Single(totals.Distinct()))!["totalQuantity"]!);
        Assert.Equal(20 + delta, await Stack.AvailableAsync(product.Id));
        Assert.Single(await ActionsAsync($"products/{product.Id}"), a => (string)a!["action"]! == "AdjustStock");
        Assert.Single(await ActionsAsync($"coupons/{coupon.Id}"), a => (string)a!["action"]! == "AddCouponStock");
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_refused_change_does_not_use_up_its_key_and_a_malformed_key_is_refused()
    {
        var product = await Stack.ProductAsync(stock: 1);
        var (path, body, key) = ($"/api/admin/products/{product.Id}/stock", new { delta = -2, reason = "Lost" }, Guid.NewGuid().ToString());

        using (var refused = await SendAsync(path, body, key)) await refused.ShouldBeProblemAsync(HttpStatusCode.Conflict, "stock-held");
        using (var added = await SendAsync(path, new { delta = 1, reason = "Found" }, null)) Assert.Equal(HttpStatusCode.OK, added.StatusCode);
        using (var removed = await SendAsync(path, body, key)) Assert.Equal(HttpStatusCode.OK, removed.StatusCode);
        using var malformed = await SendAsync(path, body, new string('k', 129));
        await malformed.ShouldBeProblemAsync(HttpStatusCode.BadRequest, "idempotency-key-invalid");
    }

    /// <summary>Sends five equal requests at once, and returns their bodies.</summary>
    async Task<IReadOnlyList<string>> ConcurrentlyAsync(string path, object body, string key) => await Task.WhenAll(Enumerable.Range(0, 5).Select(async _ =>
    {
        using var answer = await Eventually.GetAsync(() => SendAsync(path, body, key), a => a.Headers.RetryAfter is null);
        var text = await answer.Content.ReadAsStringAsync(Cancelled);
        Assert.True(answer.IsSuccessStatusCode, text);
        return text;
    }));

    async Task<HttpResponseMessage> SendAsync(string path, object body, string? key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(body) };
        if (key is not null) request.Headers.TryAddWithoutValidation("Idempotency-Key", key);
        return await Stack.Admin.SendAsync(request, Cancelled);
    }

    async Task<JsonArray> ActionsAsync(string subject) => (await Stack.Admin.GetFromJsonAsync<JsonArray>($"/api/admin/actions?subject={subject}", Cancelled))!;

    static object Definition(string kind, string name) => kind switch
    {
        "products" => new { name, price = 1000, stock = 5, onSale = true },
        "coupons" => new { name, discount = 1000, totalQuantity = 10, startsAt = "2026-01-01T00:00:00Z", endsAt = "2099-01-01T00:00:00Z" },
        _ => new { name, couponIds = Array.Empty<long>(), productIds = Array.Empty<long>() },
    };

    /// <summary>Lists all requests that change something, with the id 1 or one that does not exist.</summary>
    async Task<IReadOnlyList<(HttpMethod Method, string Path, JsonNode Operation)>> ChangesAsync()
    {
        var document = await Stack.Anonymous.GetFromJsonAsync<JsonObject>("/openapi/v1.json", Cancelled);
        return [.. document!["paths"]!.AsObject().SelectMany(path => path.Value!.AsObject().Where(o => o.Key != "get").Select(o =>
            (HttpMethod.Parse(o.Key), Parameter().Replace(path.Key, "9007199254740993"), o.Value!)))];
    }

    async Task<HttpContent?> ExampleAsync(JsonNode operation)
    {
        if (operation["requestBody"] is not { } body) return null;
        var document = await Stack.Anonymous.GetFromJsonAsync<JsonObject>("/openapi/v1.json", Cancelled);
        var schema = ((string)body["content"]!["application/json"]!["schema"]!["$ref"]!).Split('/')[^1];
        var example = document!["components"]!["schemas"]![schema]!["examples"]?[0] ?? new JsonObject { ["user"] = "alice", ["role"] = "MEMBER" };
        return new StringContent(example.ToJsonString(), Encoding.UTF8, "application/json");
    }

    static IEnumerable<JsonNode> Parameters(JsonNode operation) => operation["parameters"]?.AsArray().Select(p => p!) ?? [];

    [GeneratedRegex(@"\{\w+\}")]
    private static partial Regex Parameter();
}
