using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Commerce.Core.Orders;

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
        var asked = (await OperationsAsync()).Where(o => Parameters(o.Operation).Any(p => (string)p["name"]! == "Idempotency-Key" && (bool?)p["required"] is true));

        Assert.Equal(
            ["post /api/admin/orders/{id}/refund", "post /api/orders", "post /api/payments/approve", "post /api/payments/prepare", "post /api/payments/{orderId}/refund"],
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
    public async Task Numbers_are_integers_of_a_size_and_never_texts()
    {
        var schemas = Descendants((await DocumentAsync())!).OfType<JsonObject>().Where(o => Types(o).Contains("integer")).ToList();

        Assert.True(schemas.Count > 100, $"Only {schemas.Count} integers were found.");
        Assert.DoesNotContain(schemas, s => Types(s).Contains("string") || s["format"] is null);

        static IEnumerable<string> Types(JsonObject schema) => schema["type"] switch
        {
            JsonValue type when type.TryGetValue<string>(out var text) => [text],
            JsonArray types => types.Select(t => (string)t!),
            _ => [],
        };
    }

    [Fact]
    public async Task Every_operation_tells_its_refusals_by_status_with_an_example_of_each()
    {
        foreach (var (name, operation) in await OperationsAsync())
        {
            var statuses = operation["responses"]!.AsObject().Where(r => r.Key.StartsWith('4') || r.Key.StartsWith('5')).ToList();
            Assert.Contains("503", statuses.Select(s => s.Key));
            if (operation["security"] is not null) Assert.Superset(new HashSet<string> { "401", "403" }, statuses.Select(s => s.Key).ToHashSet());
            if (operation["requestBody"] is not null) Assert.Superset(new HashSet<string> { "400", "413", "415" }, statuses.Select(s => s.Key).ToHashSet());
            foreach (var (status, response) in statuses)
            {
                var examples = response!["content"]!["application/problem+json"]!["examples"]!.AsObject();
                Assert.True(examples.Count > 0, name);
                Assert.All(examples, e => Assert.Equal(($"urn:commerce:{e.Key}", status), ((string?)e.Value!["value"]!["type"], $"{e.Value["value"]!["status"]}")));
            }
        }

        var order = (await OperationsAsync()).Single(o => o.Name == "post /api/orders").Operation;
        Assert.Superset(
            new HashSet<string> { "out-of-stock", "customer-limit", "too-many-unpaid-orders" },
            order["responses"]!["409"]!["content"]!["application/problem+json"]!["examples"]!.AsObject().Select(e => e.Key).ToHashSet());
    }

    /// <summary>
    /// Checks the rules of Spectral's ruleset <c>spectral:oas</c> that a document of this framework breaks without further work.
    /// </summary>
    [Fact]
    public async Task The_contract_is_complete_enough_for_a_linter()
    {
        var document = (await DocumentAsync())!;
        var tags = document["tags"]!.AsArray().ToDictionary(t => (string)t!["name"]!, t => (string?)t!["description"]);

        Assert.True((string?)document["info"]!["description"] is { Length: > 0 } && document["info"]!["contact"] is not null);
        Assert.DoesNotContain(document["servers"]!.AsArray(), s => ((string)s!["url"]!).EndsWith('/'));
        Assert.DoesNotContain(tags.Values, string.IsNullOrEmpty);
        foreach (var (name, operation) in await OperationsAsync())
        {
            Assert.True((string?)operation["description"] is { Length: > 0 }, name);
            Assert.Subset(tags.Keys.ToHashSet(), operation["tags"]!.AsArray().Select(t => (string)t!).ToHashSet());
        }

        // Each body has an example that is read like a request.
        var bodies = (await OperationsAsync()).Where(o => o.Operation["requestBody"] is not null && o.Name != "post /api/auth/token")
            .Select(o => ((string)o.Operation["requestBody"]!["content"]!["application/json"]!["schema"]!["$ref"]!).Split('/')[^1]).Distinct();
        Assert.All(bodies, b => Assert.NotNull(document["components"]!["schemas"]![b]!["examples"]![0]));
    }

    [Fact]
    public async Task A_state_has_a_list_of_its_values_that_generators_make_an_enumeration_of()
    {
        var document = (await DocumentAsync())!;
        var schemas = document["components"]!["schemas"]!.AsObject();
        // A status code, one state only, and the step of a refund with the state of the refund.
        string[] others = ["ProblemDetails.status", "LeftWaitingRoom.status", "OrderStep.state"];
        var states = schemas.Where(s => s.Value!["properties"] is not null)
            .SelectMany(s => s.Value!["properties"]!.AsObject().Where(p => p.Key is "status" or "state" or "fulfilment" or "role").Select(p => (Name: $"{s.Key}.{p.Key}", Schema: p.Value!)))
            .Where(s => !others.Contains(s.Name)).ToList();
        var filters = (await OperationsAsync()).SelectMany(o => Parameters(o.Operation).Where(p => (string?)p["name"] == "status").Select(p => (o.Name, Schema: p["schema"]!)));

        Assert.True(states.Count > 20, $"Only {states.Count} states were found.");
        Assert.All(states.Concat(filters), s => Assert.NotEmpty(schemas[((string?)(s.Schema["$ref"] ?? s.Schema["oneOf"]?[1]?["$ref"]))?.Split('/')[^1] ?? s.Name]!["enum"]!.AsArray()));
        Assert.Equal(OrderState.All, schemas["OrderState"]!["enum"]!.AsArray().Select(v => (string)v!));
    }

    [Fact]
    public async Task The_contract_says_which_lists_have_pages()
    {
        var paged = (await OperationsAsync()).Where(o => o.Operation["responses"]!["200"]?["headers"]?["Link"] is not null).Select(o => o.Name);
        var lists = (await OperationsAsync()).Where(o => (string?)o.Operation["responses"]!["200"]?["content"]?["application/json"]?["schema"]?["type"] == "array").Select(o => o.Name);

        // The order list of a user is an object with a cursor. The number of reconcilers is fixed.
        Assert.Equal(lists.Except(["post /api/admin/reconcile"]).Append("get /api/orders").Order(StringComparer.Ordinal), paged.Order(StringComparer.Ordinal));
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
        var document = await DocumentAsync();
        Assert.Equal("bearer", (string?)document!["components"]!["securitySchemes"]!["Bearer"]!["scheme"]);
        return [.. document["paths"]!.AsObject().SelectMany(path => path.Value!.AsObject().Select(o => ($"{o.Key} {path.Key}", o.Value!)))];
    }

    Task<JsonObject?> DocumentAsync() => Stack.Anonymous.GetFromJsonAsync<JsonObject>("/openapi/v1.json", Cancelled);

    static IEnumerable<JsonNode> Descendants(JsonNode node) => (node switch
    {
        JsonObject members => members.Select(m => m.Value),
        JsonArray elements => elements,
        _ => [],
    }).OfType<JsonNode>().SelectMany(Descendants).Prepend(node);

    static IEnumerable<JsonNode> Parameters(JsonNode operation) => operation["parameters"]?.AsArray().Select(p => p!) ?? [];

    [GeneratedRegex(@"^(?<method>[A-Z]+) \{\{api\}\}(?<path>[^?\s]+)")]
    private static partial Regex RequestLine();

    /// <summary>A variable of a request or of a route, or a number.</summary>
    [GeneratedRegex(@"\{+\w+\}+|(?<=/)[0-9]+(?=/|$)")]
    private static partial Regex Parameter();
}
