using System.Net;

namespace Commerce.Tests.Integration;

/// <summary>Pages of other origins can call the Api if the configuration lists them.</summary>
public sealed class CrossOriginTests(CommerceStack stack) : StackTests(stack)
{
    const string Origin = "https://app.example";

    [Fact]
    public async Task No_other_page_may_read_or_send_anything_unless_it_is_configured()
    {
        using var read = await SendAsync(Stack.Impatient, HttpMethod.Get, "/api/products", Origin);
        using var asked = await PreflightAsync(Stack.Impatient, "/api/orders", "POST", "authorization");

        Assert.True(read.IsSuccessStatusCode);
        Assert.False(read.Headers.Contains("Access-Control-Allow-Origin"));
        Assert.False(asked.Headers.Contains("Access-Control-Allow-Origin"));
    }

    [Fact]
    public async Task A_page_of_a_configured_origin_may_do_what_the_shops_own_page_does()
    {
        await using var replica = await ApiReplica.StartAsync(Stack, ("Cors__Origins__0", Origin), ("Cors__Origins__1", "http://localhost:5173"));
        using var client = new HttpClient { BaseAddress = replica.Url };

        using (var order = await PreflightAsync(client, "/api/orders", "POST", "authorization,content-type,idempotency-key"))
        {
            Assert.Equal(HttpStatusCode.NoContent, order.StatusCode);
            Assert.Equal(Origin, Header(order, "Access-Control-Allow-Origin"));
            Assert.Contains("POST", Header(order, "Access-Control-Allow-Methods"), StringComparison.Ordinal);
            Assert.Contains("Idempotency-Key", Header(order, "Access-Control-Allow-Headers"), StringComparison.OrdinalIgnoreCase);
            Assert.Equal("3600", Header(order, "Access-Control-Max-Age"));
        }

        using (var change = await PreflightAsync(client, "/api/admin/products/1", "PUT", "authorization,content-type,if-match"))
        {
            Assert.Contains("PUT", Header(change, "Access-Control-Allow-Methods"), StringComparison.Ordinal);
            Assert.Contains("If-Match", Header(change, "Access-Control-Allow-Headers"), StringComparison.OrdinalIgnoreCase);
        }

        foreach (var (path, status) in new[] { ("/api/products", HttpStatusCode.OK), ("/api/orders", HttpStatusCode.Unauthorized), ("/api/products/0", HttpStatusCode.NotFound), ("/none", HttpStatusCode.NotFound) })
        {
            using var answer = await SendAsync(client, HttpMethod.Get, path, Origin);
            Assert.Equal((status, Origin), (answer.StatusCode, Header(answer, "Access-Control-Allow-Origin")));
            Assert.Equal("ETag,Link,Location,Retry-After", Header(answer, "Access-Control-Expose-Headers"));
            Assert.False(answer.Headers.Contains("Access-Control-Allow-Credentials"));
        }

        using var stranger = await SendAsync(client, HttpMethod.Get, "/api/products", "https://app.example.evil");
        Assert.False(stranger.Headers.Contains("Access-Control-Allow-Origin"));
    }

    [Fact]
    public async Task An_address_that_is_no_origin_is_told_at_the_start() =>
        Assert.Contains("https://app.example/shop is no origin", await ApiReplica.RefusesToStartAsync(Stack, ("Cors__Origins__0", "https://app.example/shop")), StringComparison.Ordinal);

    static string Header(HttpResponseMessage answer, string name) => string.Join(',', answer.Headers.GetValues(name));

    static Task<HttpResponseMessage> SendAsync(HttpClient client, HttpMethod method, string path, string origin) =>
        client.SendAsync(new(method, path) { Headers = { { "Origin", origin } } }, Cancelled);

    static Task<HttpResponseMessage> PreflightAsync(HttpClient client, string path, string method, string headers) => client.SendAsync(new(HttpMethod.Options, path)
    {
        Headers = { { "Origin", Origin }, { "Access-Control-Request-Method", method }, { "Access-Control-Request-Headers", headers } },
    }, Cancelled);
}
