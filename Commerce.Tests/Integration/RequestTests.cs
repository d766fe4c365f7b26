using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Aspire.Hosting.Testing;
using Commerce.Core.Inventory;

namespace Commerce.Tests.Integration;

/// <summary>Unusual and invalid requests, on every route of the contract.</summary>
public sealed class RequestTests(CommerceStack stack) : StackTests(stack)
{
    [Fact]
    public async Task HEAD_is_answered_as_GET_without_the_body_on_every_route()
    {
        var product = await Stack.ProductAsync(stock: 1);
        foreach (var path in await PathsAsync("get"))
        {
            // Some ids do not exist. Both responses are then 404.
            var address = Fill(path, product.Id.ToString(CultureInfo.InvariantCulture));
            foreach (var client in new[] { Stack.Anonymous, Stack.Admin })
            {
                using var get = await client.SendAsync(new(HttpMethod.Get, address), HttpCompletionOption.ResponseHeadersRead, Cancelled);
                using var head = await client.SendAsync(new(HttpMethod.Head, address), Cancelled);
                Assert.True(head.StatusCode == get.StatusCode, $"HEAD {address}: {head.StatusCode}, GET: {get.StatusCode}");
                Assert.Equal(get.Content.Headers.ContentType, head.Content.Headers.ContentType);
                Assert.Empty(await head.Content.ReadAsByteArrayAsync(Cancelled));
            }
        }

        foreach (var path in new[] { "/", "/health", "/alive", "/openapi/v1.json" })
            Assert.Equal(HttpStatusCode.OK, (await Stack.Anonymous.SendAsync(new(HttpMethod.Head, path), Cancelled)).StatusCode);
        using var window = await Stack.Sandbox.Client.SendAsync(new(HttpMethod.Head, "/pay.css"), Cancelled);
        Assert.Equal(HttpStatusCode.OK, window.StatusCode);
        using var post = await Stack.Admin.SendAsync(new(HttpMethod.Head, "/api/admin/reconcile"), Cancelled);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, post.StatusCode);
    }

    [Fact]
    public async Task A_PUT_needs_every_member_and_no_other_on_every_route()
    {
        var schemas = (await ContractAsync())["components"]!["schemas"]!;
        var puts = await PathsAsync("put");
        Assert.NotEmpty(puts);
        foreach (var path in puts)
        {
            var reference = (string)(await ContractAsync())["paths"]![path]!["put"]!["requestBody"]!["content"]!["application/json"]!["schema"]!["$ref"]!;
            var members = schemas[reference[(reference.LastIndexOf('/') + 1)..]]!["properties"]!.AsObject().Select(p => p.Key);

            using var answer = await Stack.Admin.PutAsJsonAsync(Fill(path, "1"), new { idOfIt = 5 }, Cancelled);

            var errors = await ErrorsAsync(answer);
            Assert.Equal(members.Append("idOfIt").Order(), errors.Keys.Order());
            Assert.All(members, m => Assert.StartsWith("Required", errors[m], StringComparison.Ordinal));
            Assert.Equal("This member does not exist.", errors["idOfIt"]);
        }
    }

    [Fact]
    public async Task A_PUT_without_a_list_or_a_switch_changes_nothing()
    {
        var coupon = await Stack.CouponAsync(total: 10);
        var scheduled = await Stack.EventAsync(opensIn: 3600, couponIds: [coupon.Id]);
        var product = await Stack.ProductAsync(stock: 1);

        using var without = await Stack.Admin.PutAsJsonAsync($"/api/admin/events/{scheduled.Id}", new { name = "x", scheduled.OpensAt, scheduled.ClosesAt, scheduled.ProductIds, scheduled.WaitingRoomRate, scheduled.MaxPerCustomer }, Cancelled);
        using var empty = await Stack.Admin.PutAsJsonAsync(
            $"/api/admin/events/{scheduled.Id}", new { name = "x", scheduled.OpensAt, scheduled.ClosesAt, couponIds = (long[]?)null, productIds = (long[]?)null, waitingRoomRate = (int?)null, maxPerCustomer = (int?)null }, Cancelled);
        using var stock = await Stack.Admin.PutAsJsonAsync($"/api/admin/products/{product.Id}", new { name = "x", price = 1, onSale = true, maxPerCustomer = (int?)null, stock = 5 }, Cancelled);

        Assert.Equal(["couponIds"], (await ErrorsAsync(without)).Keys);
        Assert.Equal(["couponIds", "productIds"], (await ErrorsAsync(empty)).Keys.Order());
        Assert.Equal(["stock"], (await ErrorsAsync(stock)).Keys);
        Assert.Equal([coupon.Id], (await Stack.FindEventAsync(scheduled.Id)).CouponIds);
        Assert.Equal(product, await Stack.Admin.GetFromJsonAsync<Product>($"/api/admin/products/{product.Id}", Cancelled));
    }

    [Fact]
    public async Task What_administrators_misspell_is_told_and_what_shoppers_send_besides_is_ignored()
    {
        using var misspelt = await Stack.Admin.PostAsJsonAsync("/api/admin/products", new { name = "x", price = 1, onsales = false }, Cancelled);
        Assert.Equal(["onsales"], (await ErrorsAsync(misspelt)).Keys);
        var product = await Stack.ProductAsync(stock: 1);
        var user = (await Stack.UsersAsync("besides", 1))[0];
        using var ordered = await user.PostAsync("/api/orders", new { items = new[] { new { productId = product.Id, quantity = 1, color = "red" } }, shipping = Shoppers.Shipping, newsletter = true });
        Assert.Equal(HttpStatusCode.Created, ordered.StatusCode);
    }

    [Fact]
    public async Task A_missing_member_of_an_order_is_told_as_required()
    {
        var user = (await Stack.UsersAsync("incomplete", 1))[0];
        using var answer = await user.PostAsync("/api/orders", new { items = new[] { new { quantity = 1 } }, shipping = new { recipient = "Kim" } });
        var errors = await ErrorsAsync(answer);
        Assert.Equal(["items[0].productId", "shipping.address1", "shipping.phone", "shipping.zipcode"], errors.Keys.Order());
        Assert.All(errors.Values, m => Assert.Equal("Required.", m));
    }

    [Theory]
    [InlineData("/api/orders?limit=abc", "limit")]
    [InlineData("/api/orders?limit=-1", "limit")]
    [InlineData("/api/orders?limit=0", "limit")]
    [InlineData("/api/orders?limit=101", "limit")]
    [InlineData("/api/orders?limit=1e9", "limit")]
    [InlineData("/api/orders?limit=99999999999999999999", "limit")]
    [InlineData("/api/orders?limit=1.5", "limit")]
    [InlineData("/api/orders?limit=%205", "limit")]
    [InlineData("/api/orders?LIMIT=x", "limit")]
    [InlineData("/api/orders?limit=1&limit=2", "limit")]
    [InlineData("/api/orders?cursor=zzzz", "cursor")]
    [InlineData("/api/orders?cursor=01890000-0000-7000-8000-00000000000G", "cursor")]
    [InlineData("/api/admin/orders?before=zzzz&limit=201", "before", "limit")]
    [InlineData("/api/admin/payments?before=zzzz", "before")]
    [InlineData("/api/admin/payments?limit=-5", "limit")]
    [InlineData("/api/admin/products?before=abc", "before")]
    [InlineData("/api/admin/products?before=-1", "before")]
    [InlineData("/api/admin/coupons?before=9223372036854775808", "before")]
    [InlineData("/api/admin/outbox?before=x&limit=x", "before", "limit")]
    [InlineData("/api/admin/dead-letters?before=x&limit=1000", "before", "limit")]
    [InlineData("/api/admin/products/1/stock?before=0&limit=y", "before", "limit")]
    [InlineData("/api/admin/live", "eventId")]
    [InlineData("/api/admin/live?eventId=x", "eventId")]
    [InlineData("/api/admin/actions?actor=&subject=", "actor", "subject")]
    public async Task A_query_that_means_nothing_is_refused_by_parameter(string address, params string[] parameters)
    {
        using var answer = await Stack.Admin.GetAsync(address, Cancelled);
        var errors = await ErrorsAsync(answer);
        Assert.Equal(parameters, errors.Keys.Order());
        Assert.All(errors.Values, m => Assert.DoesNotContain("bind", m, StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task Unknown_query_parameters_are_ignored_on_every_route()
    {
        foreach (var path in await PathsAsync("get"))
        {
            var address = Fill(path, "1");
            using var plain = await Stack.Admin.SendAsync(new(HttpMethod.Get, address), HttpCompletionOption.ResponseHeadersRead, Cancelled);
            using var tracked = await Stack.Admin.SendAsync(
                new(HttpMethod.Get, address + "?utm_campaign=big%20sale&%EB%B4%84=%EC%84%B8%EC%9D%BC&empty="), HttpCompletionOption.ResponseHeadersRead, Cancelled);
            Assert.True(plain.StatusCode == tracked.StatusCode, $"{address}: {tracked.StatusCode} instead of {plain.StatusCode}");
        }
    }

    [Fact]
    public async Task A_query_parameter_that_has_the_name_of_something_else_is_unknown()
    {
        var user = (await Stack.UsersAsync("by-name", 1))[0];
        var product = await Stack.ProductAsync(stock: 1);
        using var placed = await user.PostAsync("/api/orders?passes=big%20sale&request=%EB%B4%84", new { items = new[] { new { productId = product.Id, quantity = 1 } }, shipping = Shoppers.Shipping });
        Assert.Equal(HttpStatusCode.Created, placed.StatusCode);
    }

    [Fact]
    public async Task Filters_and_the_trail_know_a_thing_by_any_spelling_of_its_id_and_a_person_by_any_subject()
    {
        var (product, user) = (await Stack.ProductAsync(stock: 5), (await Stack.UsersAsync("spelling", 1))[0]);
        var order = await user.PlaceAsync(product.Id);
        using (var prepared = await user.PostAsync("/api/payments/prepare", new { orderId = order.OrderId, amount = order.TotalAmount })) Assert.Equal(HttpStatusCode.OK, prepared.StatusCode);
        var payments = await Stack.Admin.GetFromJsonAsync<JsonArray>($"/api/admin/payments?orderId={order.OrderId.ToUpperInvariant()}", Cancelled);
        Assert.Equal(order.OrderId, (string?)Assert.Single(payments!)!["orderId"]);

        var subject = $"김 관리자/{Guid.NewGuid()}";
        using var administrator = await Stack.UserAsync(subject, "ADMIN");
        using (var adjusted = await administrator.PostAsJsonAsync($"/api/admin/products/00{product.Id}/stock", new { delta = 1, reason = "count" }, Cancelled))
            Assert.Equal(HttpStatusCode.OK, adjusted.StatusCode);
        var trail = await Stack.Admin.GetFromJsonAsync<JsonArray>($"/api/admin/actions?actor={Uri.EscapeDataString(subject)}", Cancelled);
        Assert.Equal($"products/{product.Id}", (string?)Assert.Single(trail!)!["subject"]);
        var ofProduct = await Stack.Admin.GetFromJsonAsync<JsonArray>($"/api/admin/actions?subject=products/00{product.Id}", Cancelled);
        Assert.Contains(ofProduct!, a => (string?)a!["action"] == "AdjustStock");
        using (var cancelled = await administrator.PostAsJsonAsync($"/api/admin/orders/{order.OrderId}/cancel", new { reason = "count" }, Cancelled)) Assert.Equal(HttpStatusCode.OK, cancelled.StatusCode);
        var ofOrder = await Stack.Admin.GetFromJsonAsync<JsonArray>($"/api/admin/actions?subject=orders/{order.OrderId.ToUpperInvariant()}", Cancelled);
        Assert.Equal("CancelOrderForCustomer", (string?)Assert.Single(ofOrder!)!["action"]);
    }

    [Fact]
    public async Task An_event_closes_a_millisecond_after_its_opening_at_the_earliest()
    {
        using var answer = await Stack.Admin.PostAsJsonAsync("/api/admin/events", new
        {
            name = "x", opensAt = "2031-01-01T00:00:00Z", closesAt = "2031-01-01T00:00:00.0009Z", couponIds = Array.Empty<long>(), productIds = Array.Empty<long>(),
        }, Cancelled);
        Assert.Equal(["closesAt"], (await ErrorsAsync(answer)).Keys);
    }

    [Theory]
    [InlineData("GET", "/api/admin/products/{unknown}/stock")]
    [InlineData("POST", "/api/admin/products/{unknown}/stock")]
    [InlineData("POST", "/api/admin/coupons/{unknown}/stock")]
    [InlineData("POST", "/api/admin/coupons/{unknown}/cancel")]
    [InlineData("POST", "/api/admin/events/{unknown}/open")]
    [InlineData("POST", "/api/admin/events/{unknown}/cancel")]
    [InlineData("GET", "/api/admin/events/{unknown}")]
    [InlineData("GET", "/api/coupons/{unknown}/issue")]
    [InlineData("POST", "/api/coupons/{unknown}/issue")]
    [InlineData("POST", "/api/orders/{unknown}/cancel")]
    [InlineData("GET", "/api/payments/{unknown}")]
    [InlineData("POST", "/api/admin/dead-letters/{unknown}/replay")]
    [InlineData("POST", "/api/admin/outbox/{unknown}/replay")]
    [InlineData("GET", "/api/admin/orders/{unknown}")]
    [InlineData("POST", "/api/admin/orders/{unknown}/fulfilment")]
    [InlineData("POST", "/api/admin/orders/{unknown}/cancel")]
    [InlineData("POST", "/api/admin/orders/{unknown}/refund")]
    [InlineData("POST", "/api/admin/orders/{unknown}/announce")]
    [InlineData("GET", "/api/admin/live?eventId={unknown}")]
    [InlineData("GET", "/api/events/{unknown}/waiting-room")]
    [InlineData("POST", "/api/events/{unknown}/waiting-room")]
    [InlineData("POST", "/api/events/{unknown}/waiting-room/leave")]
    public async Task What_belongs_to_something_that_is_not_there_is_not_found(string method, string path)
    {
        using var request = new HttpRequestMessage(new(method), path.Replace("{unknown}", "999999999", StringComparison.Ordinal));
        if (method == "POST")
        {
            request.Headers.Add("Idempotency-Key", "unknown");
            request.Content = JsonContent.Create<object>(path.Split('/') switch
            {
                [.., "products", _, _] => new { delta = 1, reason = "more" },
                [.., "admin", "orders", _, "fulfilment"] => new { state = "PREPARING" },
                [.., "admin", "orders", _, "cancel"] => new { reason = "x" },
                [.., "refund"] => new { amount = 1, reason = "x" },
                _ => new { delta = 1 },
            });
        }

        using var answer = await Stack.Admin.SendAsync(request, Cancelled);
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        Assert.EndsWith("-not-found", (await answer.SlugAsync()).Replace("not-issued", "not-found", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_stock_history_of_a_product_has_its_beginning()
    {
        var product = await Stack.ProductAsync(stock: 5);
        var history = await Stack.Admin.GetFromJsonAsync<JsonArray>($"/api/admin/products/{product.Id}/stock", Cancelled);
        Assert.Equal("opening", (string?)history!.Single()!["eventId"]);
        using var earlier = await Stack.Admin.GetAsync($"/api/admin/products/{product.Id}/stock?before=1", Cancelled);
        Assert.Equal(HttpStatusCode.OK, earlier.StatusCode);
    }

    [Fact]
    public async Task A_stock_beyond_what_it_can_hold_is_refused()
    {
        var product = await Stack.ProductAsync(stock: 9_500_000);
        await Parallel.ForAsync(0, 990, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (_, _) =>
        {
            using var added = await AdjustAsync(1_000_000);
            Assert.Equal(HttpStatusCode.OK, added.StatusCode);
        });
        using var fits = await AdjustAsync(500_000);
        using var full = await AdjustAsync(1);
        using var less = await AdjustAsync(-1);
        using var again = await AdjustAsync(1);

        Assert.Equal(HttpStatusCode.OK, fits.StatusCode);
        await full.ShouldBeProblemAsync(HttpStatusCode.Conflict, "stock-too-large");
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (less.StatusCode, again.StatusCode));
        Assert.Equal(1_000_000_000, (await Stack.Admin.GetFromJsonAsync<Product>($"/api/admin/products/{product.Id}", Cancelled))!.Stock);
        Assert.Equal(1_000_000_000, await Stack.AvailableAsync(product.Id));

        Task<HttpResponseMessage> AdjustAsync(int delta) => Stack.Admin.PostAsJsonAsync($"/api/admin/products/{product.Id}/stock", new { delta, reason = "count" }, Cancelled);
    }

    [Theory]
    [InlineData(" ")]
    [InlineData("\t")]
    [InlineData("a\nb")]
    [InlineData("\u200B")]
    [InlineData("\u3164")]
    [InlineData("a\u0000")]
    public async Task Text_that_shows_nothing_is_refused_wherever_it_would_be_stored(string text)
    {
        var now = TimeProvider.System.GetUtcNow();
        var (product, coupon, draft) = (await Stack.ProductAsync(stock: 1), await Stack.CouponAsync(total: 1), await Stack.EventAsync(opensIn: null));
        var user = (await Stack.UsersAsync("blank", 1))[0];
        var window = new { name = text, discount = 1, totalQuantity = 1, startsAt = now, endsAt = now.AddHours(1) };
        var sale = new { name = text, opensAt = (DateTimeOffset?)null, closesAt = (DateTimeOffset?)null, couponIds = Array.Empty<long>(), productIds = Array.Empty<long>(), waitingRoomRate = (int?)null, maxPerCustomer = (int?)null };

        await RefusedAsync(Stack.Admin.PostAsJsonAsync("/api/admin/products", new { name = text, price = 1 }, Cancelled), "name");
        await RefusedAsync(Stack.Admin.PutAsJsonAsync($"/api/admin/products/{product.Id}", new { name = text, price = 1, onSale = true, maxPerCustomer = (int?)null }, Cancelled), "name");
        await RefusedAsync(Stack.Admin.PostAsJsonAsync($"/api/admin/products/{product.Id}/stock", new { delta = 1, reason = text }, Cancelled), "reason");
        await RefusedAsync(Stack.Admin.PostAsJsonAsync("/api/admin/coupons", window, Cancelled), "name");
        await RefusedAsync(Stack.Admin.PutAsJsonAsync($"/api/admin/coupons/{coupon.Id}", coupon.Definition() with { Name = text }, Cancelled), "name");
        await RefusedAsync(Stack.Admin.PostAsJsonAsync("/api/admin/events", sale, Cancelled), "name");
        await RefusedAsync(Stack.Admin.PutAsJsonAsync($"/api/admin/events/{draft.Id}", sale, Cancelled), "name");
        await RefusedAsync(Stack.Admin.PostAsJsonAsync("/api/admin/orders/1/cancel", new { reason = text }, Cancelled), "reason");
        await RefusedAsync(Stack.Admin.PostAsJsonAsync("/api/admin/orders/1/fulfilment", new { state = "SHIPPED", trackingNumber = text }, Cancelled), "trackingNumber");
        using var refund = new HttpRequestMessage(HttpMethod.Post, "/api/admin/orders/1/refund") { Content = JsonContent.Create(new { amount = 1, reason = text }) };
        refund.Headers.Add("Idempotency-Key", "blank");
        await RefusedAsync(Stack.Admin.SendAsync(refund, Cancelled), "reason");
        await RefusedAsync(user.PostAsync("/api/payments/019b0000-0000-7000-8000-000000000000/refund", new { amount = 1, reason = text }), "reason");
        await RefusedAsync(
            user.PostAsync("/api/orders", new
            {
                items = new[] { new { productId = product.Id, quantity = 1 } },
                shipping = new { recipient = text, phone = "010-1234-5678", zipcode = "04524", address1 = text, address2 = text },
            }), "shipping.address1", "shipping.address2", "shipping.recipient");

        async Task RefusedAsync(Task<HttpResponseMessage> asked, params string[] fields)
        {
            using var answer = await asked;
            Assert.Equal(fields, (await ErrorsAsync(answer)).Keys.Order());
        }
    }

    [Theory]
    [InlineData("HTTP/1.0", null)]
    [InlineData("HTTP/1.1", "")]
    [InlineData("HTTP/1.1", "%zz")]
    [InlineData("HTTP/1.1", "a..b")]
    [InlineData("HTTP/1.1", "localhost:99999")]
    [InlineData("HTTP/1.1", "$$$")]
    public async Task A_host_that_is_none_is_400_on_every_route(string version, string? host)
    {
        foreach (var start in new[] { "GET /", "GET /api/products", "POST /api/payments/prepare", "GET /api/events/stream" })
            Assert.StartsWith("HTTP/1.1 400", await SendRawAsync(Stack.App.GetEndpoint("api", "http"), $"{start} {version}", host), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Only_allowed_hosts_are_answered_and_only_known_proxies_believed()
    {
        await using var replica = await ApiReplica.StartAsync(
            Stack, ("AllowedHosts", "127.0.0.1;*.shop.example"), ("Http__KnownProxies__0", "127.0.0.2"), ("Http__KnownProxies__1", "10.0.0.0/8"));
        Assert.StartsWith("HTTP/1.1 200", await SendRawAsync(replica.Url, "GET /api/products HTTP/1.1", "www.shop.example"), StringComparison.Ordinal);
        var refused = await SendRawAsync(replica.Url, "GET /api/products HTTP/1.1", "evil.example");
        Assert.StartsWith("HTTP/1.1 400", refused, StringComparison.Ordinal);
        Assert.Contains("urn:commerce:invalid-host", refused, StringComparison.Ordinal);

        // A trusted header changes the host, which is then allowed or not.
        const string Forwarded = "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https\r\n";
        Assert.StartsWith("HTTP/1.1 200", await SendRawAsync(replica.Url, "GET /api/products HTTP/1.1", "www.shop.example", Forwarded), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 400", await SendRawAsync(replica.Url, "GET /api/products HTTP/1.1", "www.shop.example", Forwarded, IPAddress.Parse("127.0.0.2")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_pay_window_returns_to_the_public_address_whatever_host_is_asked()
    {
        await using var replica = await ApiReplica.StartAsync(Stack, ("Http__PublicUrl", "https://shop.example/kr"));
        var product = await Stack.ProductAsync(stock: 1);
        using var user = await replica.UserAsync("public-address");
        user.DefaultRequestHeaders.Add("Idempotency-Key", "once");
        using var placed = await user.PostAsJsonAsync("/api/orders", new { items = new[] { new { productId = product.Id, quantity = 1 } }, shipping = Shoppers.Shipping }, Cancelled);
        var order = await placed.Content.ReadFromJsonAsync<JsonElement>(Cancelled);
        user.DefaultRequestHeaders.Host = "evil.example";

        using var prepared = await user.PostAsJsonAsync(
            "/api/payments/prepare", new { orderId = order.GetProperty("orderId").GetString(), amount = order.GetProperty("totalAmount").GetInt64() }, Cancelled);

        var payUrl = (await prepared.Content.ReadFromJsonAsync<JsonElement>(Cancelled)).GetProperty("payUrl").GetString()!;
        Assert.Contains(Uri.EscapeDataString("https://shop.example/kr/?orderId="), payUrl, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("evil", payUrl, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null, "Give Http:PublicUrl")]
    [InlineData("shop.example", "Http:PublicUrl is an absolute address")]
    public async Task Outside_of_Development_the_Api_does_not_start_without_its_public_address(string? url, string reason)
    {
        var said = await ApiReplica.RefusesToStartAsync(
            Stack, ("ASPNETCORE_ENVIRONMENT", "Production"), ("DOTNET_ENVIRONMENT", "Production"), ("Http__PublicUrl", url ?? ""),
            ("Authentication__Schemes__Bearer__ValidAudiences__0", "commerce"));
        Assert.Contains(reason, said, StringComparison.Ordinal);
    }

    /// <summary>The server's response to these bytes.</summary>
    static async Task<string> SendRawAsync(Uri server, string start, string? host, string headers = "", IPAddress? from = null)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        if (from is not null) socket.Bind(new IPEndPoint(from, 0));
        await socket.ConnectAsync(IPAddress.Loopback, server.Port, Cancelled);
        await using var stream = new NetworkStream(socket);
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"{start}\r\n{(host is null ? "" : $"Host: {host}\r\n")}{headers}Connection: close\r\n\r\n"), Cancelled);
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync(Cancelled);
    }

    static async Task<Dictionary<string, string>> ErrorsAsync(HttpResponseMessage answer)
    {
        await answer.ShouldBeProblemAsync(HttpStatusCode.BadRequest, "validation");
        var errors = (await answer.Content.ReadFromJsonAsync<JsonObject>(Cancelled))!["errors"]!.AsObject();
        return errors.ToDictionary(e => e.Key, e => (string)e.Value![0]!);
    }

    async Task<JsonObject> ContractAsync() => (await Stack.Anonymous.GetFromJsonAsync<JsonObject>("/openapi/v1.json", Cancelled))!;

    async Task<IReadOnlyList<string>> PathsAsync(string method) =>
        [.. (await ContractAsync())["paths"]!.AsObject().Where(p => p.Value![method] is not null).Select(p => p.Key)];

    static string Fill(string path, string id) => path.Replace("{id}", id, StringComparison.Ordinal).Replace("{orderId}", id, StringComparison.Ordinal);
}
