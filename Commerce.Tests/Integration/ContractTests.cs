using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Commerce.Tests.Integration;

/// <summary><c>/openapi/v1.json</c> describes what the Api does.</summary>
public sealed partial class ContractTests(CommerceStack stack) : StackTests(stack)
{
    [Fact]
    public async Task The_contract_says_who_may_ask_and_what_a_refusal_looks_like()
    {
        var anonymous = new List<string>();
        foreach (var (name, operation) in await OperationsAsync())
        {
            if (operation["security"] is null) anonymous.Add(name);
            else Assert.NotNull(operation["security"]![0]!["Bearer"]);
            Assert.NotNull(operation["responses"]!["default"]!["content"]!["application/problem+json"]);
        }

        // A new operation must be added here.
        Assert.Equal(
            [
                "get /api/configuration", "get /api/coupons", "get /api/events", "get /api/events/stream", "get /api/events/{id}", "get /api/products", "get /api/products/{id}",
                "post /api/auth/token",
            ],
            anonymous.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task The_contract_asks_for_an_Idempotency_Key_where_the_Api_does()
    {
        var asked = (await OperationsAsync()).Where(o => Parameters(o.Operation).Any(p => (string)p["name"]! == "Idempotency-Key" && (bool)p["required"]!));

        Assert.Equal(
            ["post /api/orders", "post /api/payments/approve", "post /api/payments/prepare", "post /api/payments/{orderId}/refund"],
            asked.Select(o => o.Name).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task The_contract_tells_how_to_follow_the_live_stream()
    {
        var (_, stream) = (await OperationsAsync()).Single(o => o.Name == "get /api/events/stream");

        Assert.Equal(["ticket", "eventId", "lastEventId", "Last-Event-ID"], Parameters(stream).Select(p => (string)p["name"]!));
        Assert.NotNull(stream["responses"]!["200"]!["content"]!["text/event-stream"]);
    }

    [Fact]
    public async Task Every_operation_has_a_name_of_its_own_and_a_summary()
    {
        var operations = await OperationsAsync();

        Assert.Empty(operations.Where(o => o.Operation["summary"] is null || o.Operation["operationId"] is null).Select(o => o.Name));
        Assert.Equal(operations.Count, operations.Select(o => (string)o.Operation["operationId"]!).Distinct().Count());
    }

    [Fact]
    public async Task The_requests_to_try_have_every_operation()
    {
        var requests = (await File.ReadAllLinesAsync(Path.Combine(Repository.Root, "docs", "requests.http"), Cancelled))
            .Select(line => RequestLine().Match(line)).Where(m => m.Success)
            .Select(m => $"{m.Groups["method"].Value.ToLowerInvariant()} {Parameter().Replace(m.Groups["path"].Value, "{}")}").ToHashSet();

        Assert.DoesNotContain(await OperationsAsync(), o => !requests.Contains(Parameter().Replace(o.Name, "{}")));
    }

    async Task<IReadOnlyList<(string Name, JsonNode Operation)>> OperationsAsync()
    {
        var document = await Stack.Anonymous.GetFromJsonAsync<JsonObject>("/openapi/v1.json", Cancelled);
        Assert.Equal("bearer", (string?)document!["components"]!["securitySchemes"]!["Bearer"]!["scheme"]);
        return [.. document["paths"]!.AsObject().SelectMany(path => path.Value!.AsObject().Select(o => ($"{o.Key} {path.Key}", o.Value!)))];
    }

    static IEnumerable<JsonNode> Parameters(JsonNode operation) => operation["parameters"]?.AsArray().Select(p => p!) ?? [];

    [GeneratedRegex(@"^(?<method>[A-Z]+) \{\{api\}\}(?<path>[^?\s]+)")]
    private static partial Regex RequestLine();

    /// <summary>A variable of a request or of a route, or a number.</summary>
    [GeneratedRegex(@"\{+\w+\}+|(?<=/)[0-9]+(?=/|$)")]
    private static partial Regex Parameter();
}
