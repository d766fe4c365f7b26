using System.Data.Common;
using System.Net;
using Commerce.Core.Database;
using Dapper;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Integration;

/// <summary>Public reads and their limits.</summary>
public sealed class PublicReadTests(CommerceStack stack) : StackTests(stack)
{
    [Theory]
    [InlineData("/api/products?", "product", "on_sale")]
    [InlineData("/api/coupons?", "coupon", "WAITING")]
    [InlineData("/api/events?", "event", "event_coupon")]
    [InlineData("/api/products?cursor=999999999&", "product", "on_sale")]
    [InlineData("/api/coupons?cursor=1-999999999&", "coupon", "WAITING")]
    [InlineData("/api/events?cursor=1-999999999&", "event", "event_coupon")]
    public async Task A_crowd_that_looks_at_a_list_costs_MySQL_one_query(string path, string table, string statement)
    {
        const int Visitors = 60;
        var alice = await Stack.UserAsync("alice");
        // The cached result is too old when the table is locked.
        await Eventually.EqualAsync(HttpStatusCode.OK, async () => (await Stack.Impatient.GetAsync(path, Cancelled)).StatusCode);
        await Task.Delay(TimeSpan.FromSeconds(1), Cancelled);
        var source = Stack.Services.GetRequiredService<DbDataSource>();
        await using var locking = await source.OpenConnectionAsync(Cancelled);
        await locking.ExecuteAsync($"LOCK TABLES `{table}` WRITE");

        // No parameter, header or token creates another query.
        var answers = Enumerable.Range(0, Visitors).Select(i => (i % 2 == 0 ? Stack.Anonymous : alice).GetAsync($"{path}utm_source={i}", Cancelled)).ToList();
        await Eventually.EqualAsync(1L, () => Stack.Services.GetRequiredService<MySqlDatabase>().SingleAsync<long>(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE CONCAT('%', @statement, '%') AND info NOT LIKE '%processlist%'", new { statement }, Cancelled));
        // All requests have arrived, and there is still only one query.
        await Task.Delay(TimeSpan.FromMilliseconds(300), Cancelled);
        Assert.Equal(1, await Stack.Services.GetRequiredService<MySqlDatabase>().SingleAsync<long>(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE CONCAT('%', @statement, '%') AND info NOT LIKE '%processlist%'", new { statement }, Cancelled));
        await locking.ExecuteAsync("UNLOCK TABLES");

        var bodies = new HashSet<string>();
        foreach (var answer in await Task.WhenAll(answers))
        {
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            bodies.Add(await answer.Content.ReadAsStringAsync(Cancelled));
            answer.Dispose();
        }

        Assert.InRange(bodies.Count, 1, 2);
    }

    [Fact]
    public async Task A_list_is_a_second_old_at_most()
    {
        await Stack.Anonymous.GetAsync("/api/products", Cancelled);
        var product = await Stack.ProductAsync(stock: 1);

        await Eventually.GetAsync(() => Stack.Anonymous.GetStringAsync("/api/products", Cancelled), list => list.Contains($"\"id\":{product.Id},", StringComparison.Ordinal), TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task Whoever_asks_too_often_is_told_to_slow_down()
    {
        await using var replica = await ApiReplica.StartAsync(Stack, ("Limits__UserPaymentsPerSecond", "3"), ("Limits__UserReadsPerSecond", "3"), ("Limits__AddressReadsPerSecond", "3"));
        using var alice = await replica.UserAsync("alice");
        using var bob = await replica.UserAsync("bob");
        using var anybody = new HttpClient { BaseAddress = replica.Url };
        var order = Guid.CreateVersion7();

        foreach (var (path, body) in new (string, object?)[]
        {
            ("/api/payments/approve", new { orderId = order, pgPaymentId = "1" }), ($"/api/payments/{order}/refund", new { amount = 1, reason = "x" }), ($"/api/orders/{order}/cancel", null),
        })
        {
            await ShouldBeLimitedAsync(() => PostAsync(alice, path, body));
        }

        foreach (var path in new[] { "/api/orders", $"/api/orders/{order}", $"/api/payments/{order}", "/api/coupons/my", "/api/coupons/1/issue", "/api/products" })
            await ShouldBeLimitedAsync(() => alice.GetAsync(path, Cancelled));
        foreach (var path in new[] { "/api/products", "/api/products/1", "/api/coupons", "/api/events", "/api/events/1", "/openapi/v1.json" })
            await ShouldBeLimitedAsync(() => anybody.GetAsync(path, Cancelled));
        // Each user has a separate limit.
        await Eventually.EqualAsync(HttpStatusCode.OK, async () => (await bob.GetAsync("/api/orders", Cancelled)).StatusCode);
        // Probes are never limited.
        Assert.All(await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => anybody.GetAsync("/health", Cancelled))), a => Assert.NotEqual(HttpStatusCode.TooManyRequests, a.StatusCode));

        async Task ShouldBeLimitedAsync(Func<Task<HttpResponseMessage>> ask)
        {
            // Ten requests are sent at once. They are repeated if a new window began in between.
            var refused = await Eventually.GetAsync(
                async () => (await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => ask()))).FirstOrDefault(a => a.StatusCode == HttpStatusCode.TooManyRequests), a => a is not null);
            await refused!.ShouldBeProblemAsync(HttpStatusCode.TooManyRequests, "rate-limited");
            Assert.Equal(TimeSpan.FromSeconds(1), refused!.Headers.RetryAfter?.Delta);
        }

        async Task<HttpResponseMessage> PostAsync(HttpClient client, string path, object? body)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = body is null ? null : JsonContent.Create(body) };
            request.Headers.Add("Idempotency-Key", Guid.NewGuid().ToString());
            return await client.SendAsync(request, Cancelled);
        }
    }
}
