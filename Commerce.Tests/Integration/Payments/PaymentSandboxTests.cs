using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;

namespace Commerce.Tests.Integration.Payments;

/// <summary>The sandbox looks like NaverPay to merchants, and like a payment window to users.</summary>
public sealed class PaymentSandboxTests(CommerceStack stack) : StackTests(stack)
{
    const string Root = "/naverpay-partner/naverpay/payments/";
    const string Shop = "http://localhost:8080/paid?order=1";

    readonly string _order = Guid.CreateVersion7().ToString();

    [Fact]
    public async Task An_approval_answers_with_the_details_of_the_capture_in_Korean_time()
    {
        var id = await Stack.Sandbox.PayAsync(_order, 12_000, "alice");

        var answer = await ApplyAsync(id);

        Assert.Equal("Success", (string?)answer["code"]);
        var detail = answer["body"]!["detail"]!;
        Assert.Equal(id, (string?)answer["body"]!["paymentId"]);
        Assert.Equal(
            (_order, "alice", 12_000L, 12_000L, "SUCCESS", "01"),
            ((string)detail["merchantPayKey"]!, (string)detail["merchantUserKey"]!, (long)detail["totalPayAmount"]!, (long)detail["primaryPayAmount"]!,
                (string)detail["admissionState"]!, (string)detail["admissionTypeCode"]!));
        var at = DateTime.ParseExact((string)detail["admissionYmdt"]!, "yyyyMMddHHmmss", CultureInfo.InvariantCulture);
        var now = TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(9);
        Assert.InRange(at, now.AddMinutes(-5), now);
    }

    [Fact]
    public async Task Nothing_is_captured_before_the_approval()
    {
        await Stack.Sandbox.PayAsync(_order, 500);

        var payment = Assert.Single(await Stack.Sandbox.LedgerAsync(_order));

        Assert.Equal(("AUTHORIZED", 0, 0), (payment.State, payment.Captured, payment.ApplyCalls));
        Assert.DoesNotContain(await Stack.Sandbox.SummaryAsync(), o => o.MerchantPayKey == _order);
    }

    [Theory]
    [InlineData("X-Naver-Client-Id", 401, "024")]
    [InlineData("X-Naver-Client-Secret", 401, "024")]
    [InlineData("X-NaverPay-Chain-Id", 200, "InvalidMerchant")]
    public async Task Strangers_are_turned_away(string wrong, int status, string code)
    {
        var id = await Stack.Sandbox.PayAsync(_order, 500);
        using var request = Request("v2.2/apply/payment", new() { ["paymentId"] = id });
        request.Headers.Remove(wrong);
        request.Headers.Add(wrong, "stranger");

        using var answer = await Stack.Sandbox.Client.SendAsync(request, Cancelled);

        Assert.Equal(status, (int)answer.StatusCode);
        var json = await ReadAsync(answer);
        Assert.Equal(code, (string?)(json["errorCode"] ?? json["code"]));
        Assert.Equal(0, Assert.Single(await Stack.Sandbox.LedgerAsync(_order)).ApplyCalls);
    }

    [Fact]
    public async Task A_second_approval_captures_nothing_unless_it_has_the_key_of_the_first()
    {
        var id = await Stack.Sandbox.PayAsync(_order, 500);

        var first = await ApplyAsync(id, key: _order + "-1");
        var again = await ApplyAsync(id, key: _order + "-1");
        var other = await ApplyAsync(id, key: _order + "-2");

        Assert.Equal(first.ToJsonString(), again.ToJsonString());
        Assert.Equal("AlreadyComplete", (string?)other["code"]);
        Assert.Equal(new SandboxPayment(id, _order, "user", 500, 500, 0, "CAPTURED", 3), Assert.Single(await Stack.Sandbox.LedgerAsync(_order)));
    }

    [Fact]
    public async Task A_key_stands_for_one_request()
    {
        var (one, other) = (await Stack.Sandbox.PayAsync(_order, 500), await Stack.Sandbox.PayAsync(_order, 500));
        await ApplyAsync(one, key: _order);

        Assert.Equal("Fail", (string?)(await ApplyAsync(other, key: _order))["code"]);
    }

    [Fact]
    public async Task While_an_approval_is_under_way_the_same_key_waits_and_others_are_told_so()
    {
        var id = await Stack.Sandbox.PayAsync(_order, 500, fault: new("delay", "apply", Count: 1, DelayMs: 4000));
        var first = ApplyAsync(id, key: _order + "-1");
        await Eventually.EqualAsync("PROCESSING", async () => (await Stack.Sandbox.LedgerAsync(_order)).Single().State);

        var same = ApplyAsync(id, key: _order + "-1");
        var other = await ApplyAsync(id, key: _order + "-2");

        Assert.Equal("AlreadyOnGoing", (string?)other["code"]);
        Assert.Equal((await first).ToJsonString(), (await same).ToJsonString());
        Assert.Equal("AlreadyComplete", (string?)(await ApplyAsync(id, key: _order + "-2"))["code"]);
    }

    [Fact]
    public async Task A_delayed_approval_goes_on_though_the_caller_went_away()
    {
        var id = await Stack.Sandbox.PayAsync(_order, 500, fault: new("delay", "apply", DelayMs: 4000));
        using var patience = new CancellationTokenSource();
        using var request = Request("v2.2/apply/payment", new() { ["paymentId"] = id });

        var approval = Stack.Sandbox.Client.SendAsync(request, patience.Token);
        await Eventually.EqualAsync("PROCESSING", async () => (await Stack.Sandbox.LedgerAsync(_order)).Single().State);
        await patience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => approval);

        await Eventually.EqualAsync("CAPTURED", async () => (await Stack.Sandbox.LedgerAsync(_order)).Single().State);
    }

    [Fact]
    public async Task A_payment_can_be_approved_only_for_a_while()
    {
        var id = await Stack.Sandbox.PayAsync(_order, 500, lifetimeMs: 1);
        await Eventually.EqualAsync("EXPIRED", async () => (await Stack.Sandbox.LedgerAsync(_order)).Single().State);

        Assert.Equal("TimeExpired", (string?)(await ApplyAsync(id))["code"]);
    }

    [Fact]
    public async Task An_unknown_payment_cannot_be_approved_or_cancelled_and_has_no_history()
    {
        Assert.Equal("Fail", (string?)(await ApplyAsync("nothing"))["code"]);
        Assert.Equal("InvalidPaymentId", (string?)(await CancelAsync("nothing", 1, 0))["code"]);
        Assert.Equal(0, (int)(await HistoryAsync(new { paymentId = "nothing" }))["body"]!["totalCount"]!);
    }

    [Fact]
    public async Task A_cancel_that_leaves_something_else_than_expected_is_refused()
    {
        var id = await Stack.Sandbox.PayAsync(_order, 1000);
        Assert.Equal("InvalidPaymentId", (string?)(await CancelAsync(id, 1000, 0))["code"]);
        await ApplyAsync(id);

        Assert.Equal("RestAmountDiff", (string?)(await CancelAsync(id, 300, 600))["code"]);
        Assert.Equal("OverRemainAmount", (string?)(await CancelAsync(id, 1001, -1))["code"]);
        var part = await CancelAsync(id, 300, 700);
        Assert.Equal(("Success", 700L), ((string)part["code"]!, (long)part["body"]!["totalRestAmount"]!));
        Assert.Equal("RestAmountDiff", (string?)(await CancelAsync(id, 300, 700))["code"]);
        Assert.Equal("Success", (string?)(await CancelAsync(id, 700, 0))["code"]);
        Assert.Equal("AlreadyCanceled", (string?)(await CancelAsync(id, 700, 0))["code"]);

        var payment = Assert.Single(await Stack.Sandbox.LedgerAsync(_order));
        Assert.Equal(("CANCELLED", 1000, 1000), (payment.State, payment.Captured, payment.Cancelled));
        Assert.Equal(new SandboxOrder(_order, 1, 0, 1000, 1000), (await Stack.Sandbox.SummaryAsync()).Single(o => o.MerchantPayKey == _order));
    }

    [Fact]
    public async Task The_history_lists_approval_and_cancels_by_payment_or_order_in_pages()
    {
        var (first, second) = (await Stack.Sandbox.PayAsync(_order, 1000), await Stack.Sandbox.PayAsync(_order, 50));
        await ApplyAsync(first);
        await ApplyAsync(second);
        await CancelAsync(first, 400, 600);

        Assert.Equal(["01", "04"], Types(await HistoryAsync(new { paymentId = first })));
        Assert.Equal(["04"], Types(await HistoryAsync(new { paymentId = first, approvalType = "CANCEL" })));
        Assert.Equal(3, Types(await HistoryAsync(new { merchantPayKey = _order })).Length);
        var page = await HistoryAsync(new { merchantPayKey = _order, pageNumber = 2, rowsPerPage = 2 });
        Assert.Equal((1, 3, 2), ((int)page["body"]!["responseCount"]!, (int)page["body"]!["totalCount"]!, (int)page["body"]!["totalPageCount"]!));
        Assert.Equal("Fail", (string?)(await HistoryAsync(new { }))["code"]);

        static string[] Types(JsonNode history) => [.. history["body"]!["list"]!.AsArray().Select(e => (string)e!["admissionTypeCode"]!)];
    }

    [Fact]
    public async Task Faults_for_everybody_hit_so_many_calls_of_one_operation()
    {
        var id = await Stack.Sandbox.PayAsync(_order, 500);
        await using var _ = await Stack.WithGatewayFaultsAsync(new SandboxFault("code", "apply", Count: 2, Code: "NotEnoughAccountBalance"));

        Assert.Equal(0, (int)(await HistoryAsync(new { paymentId = id }))["body"]!["totalCount"]!);
        Assert.Equal("NotEnoughAccountBalance", (string?)(await ApplyAsync(id, key: _order))["code"]);
        Assert.Equal("NotEnoughAccountBalance", (string?)(await ApplyAsync(id, key: _order))["code"]);
        Assert.Equal("Success", (string?)(await ApplyAsync(id, key: _order))["code"]);
    }

    [Fact]
    public async Task The_same_seed_hits_the_same_calls()
    {
        async Task<string> RunAsync()
        {
            var id = await Stack.Sandbox.PayAsync(_order, 500, fault: new("code", "history", Code: "Fail", Probability: 0.5, Seed: 7));
            var codes = new List<string?>();
            for (var i = 0; i < 20; i++) codes.Add((string?)(await HistoryAsync(new { paymentId = id }))["code"]);
            return string.Join(' ', codes);
        }

        var first = await RunAsync();
        Assert.Equal(first, await RunAsync());
        Assert.Contains("Success", first);
        Assert.Contains("Fail", first);
    }

    [Theory]
    [InlineData("""[{"kind":"nonsense"}]""")]
    [InlineData("""[{"kind":"code"}]""")]
    [InlineData("""[{"kind":"hang","count":0}]""")]
    [InlineData("""[{"kind":"drop","probability":2}]""")]
    public async Task Faults_that_mean_nothing_are_refused(string faults)
    {
        using var content = new StringContent(faults, System.Text.Encoding.UTF8, "application/json");
        using var answer = await Stack.Sandbox.Client.PutAsync("/sandbox/faults", content, Cancelled);
        await answer.ShouldBeProblemAsync(HttpStatusCode.BadRequest, "validation");
    }

    [Fact]
    public async Task The_pay_window_shows_what_it_was_given_as_text()
    {
        using var answer = await Stack.Sandbox.Client.GetAsync(Window(Shop, "<script>alert(1)</script>"), Cancelled);

        var page = await answer.Content.ReadAsStringAsync(Cancelled);
        Assert.Equal("text/html", answer.Content.Headers.ContentType?.MediaType);
        Assert.Contains("₩12,000", page);
        Assert.Contains("&lt;script&gt;alert(1)&lt;/script&gt;", page);
        Assert.DoesNotContain("<script", page);
        Assert.StartsWith("default-src 'none'", answer.Headers.GetValues("Content-Security-Policy").Single());
        Assert.Contains("form-action 'self' http://localhost:8080;", answer.Headers.GetValues("Content-Security-Policy").Single());
    }

    [Theory]
    [InlineData("https://elsewhere.example/")]
    [InlineData("javascript:alert(1)")]
    [InlineData("http://localhost@elsewhere.example/")]
    [InlineData("//elsewhere.example")]
    [InlineData("")]
    public async Task The_pay_window_sends_nobody_to_strangers(string returnUrl)
    {
        using var shown = await Stack.Sandbox.Client.GetAsync(Window(returnUrl, "x"), Cancelled);
        await shown.ShouldBeProblemAsync(HttpStatusCode.BadRequest, "validation");
        using var posted = await DecideAsync("pay", returnUrl);
        await posted.ShouldBeProblemAsync(HttpStatusCode.BadRequest, "validation");
    }

    [Fact]
    public async Task Paying_sends_the_user_back_with_a_payment_that_can_be_approved()
    {
        using var answer = await DecideAsync("pay", Shop);

        Assert.Equal(HttpStatusCode.Found, answer.StatusCode);
        var target = answer.Headers.Location!.AbsoluteUri;
        Assert.StartsWith(Shop + "&resultCode=Success&paymentId=", target);
        Assert.Equal("Success", (string?)(await ApplyAsync(target[(target.LastIndexOf('=') + 1)..]))["code"]);
    }

    [Fact]
    public async Task Cancelling_in_the_window_sends_the_user_back_without_a_payment()
    {
        using var answer = await DecideAsync("cancel", Shop);

        Assert.Equal(Shop + "&resultCode=userCancel", answer.Headers.Location!.AbsoluteUri);
        Assert.Empty(await Stack.Sandbox.LedgerAsync(_order));
    }

    [Fact]
    public async Task Money_is_a_positive_whole_number()
    {
        using var answer = await Stack.Sandbox.Client.PostAsJsonAsync(
            "/pay", new { merchantPayKey = _order, totalPayAmount = -1, merchantUserKey = "u", productName = "x" }, Cancelled);
        await answer.ShouldBeProblemAsync(HttpStatusCode.BadRequest, "validation");
    }

    Task<JsonNode> ApplyAsync(string paymentId, string? key = null) =>
        SendAsync(Request("v2.2/apply/payment", new() { ["paymentId"] = paymentId }, key));

    Task<JsonNode> CancelAsync(string paymentId, long amount, long expectedRest) => SendAsync(Request("v1/cancel", new()
    {
        ["paymentId"] = paymentId, ["cancelAmount"] = $"{amount}", ["cancelReason"] = "Test", ["cancelRequester"] = "2",
        ["expectedRestAmount"] = $"{expectedRest}",
    }));

    Task<JsonNode> HistoryAsync(object query) => SendAsync(WithMerchant(new(HttpMethod.Post, Root + "v2.2/list/history") { Content = JsonContent.Create(query) }));

    static HttpRequestMessage Request(string path, Dictionary<string, string> fields, string? key = null)
    {
        var request = WithMerchant(new(HttpMethod.Post, Root + path) { Content = new FormUrlEncodedContent(fields) });
        if (key is not null) request.Headers.Add("X-NaverPay-Idempotency-Key", key);
        return request;
    }

    static HttpRequestMessage WithMerchant(HttpRequestMessage request)
    {
        request.Headers.Add("X-Naver-Client-Id", Sandbox.ClientId);
        request.Headers.Add("X-Naver-Client-Secret", Sandbox.ClientSecret);
        request.Headers.Add("X-NaverPay-Chain-Id", Sandbox.ChainId);
        return request;
    }

    async Task<JsonNode> SendAsync(HttpRequestMessage request)
    {
        using (request)
        {
            using var answer = await Stack.Sandbox.Client.SendAsync(request, Cancelled);
            return await ReadAsync(answer);
        }
    }

    static async Task<JsonNode> ReadAsync(HttpResponseMessage answer) => JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;

    string Window(string returnUrl, string product) =>
        $"/pay?merchantPayKey={_order}&totalPayAmount=12000&merchantUserKey=alice&productName={Uri.EscapeDataString(product)}&returnUrl={Uri.EscapeDataString(returnUrl)}";

    /// <summary>The browser's request for a button, without following the redirect.</summary>
    async Task<HttpResponseMessage> DecideAsync(string action, string returnUrl)
    {
        using var handler = new SocketsHttpHandler { AllowAutoRedirect = false };
        using var browser = new HttpClient(handler) { BaseAddress = Stack.Sandbox.Client.BaseAddress };
        using var form = new FormUrlEncodedContent(new Dictionary<string, string>
        {
            ["merchantPayKey"] = _order, ["totalPayAmount"] = "12000", ["merchantUserKey"] = "alice", ["productName"] = "x", ["returnUrl"] = returnUrl,
            ["action"] = action,
        });
        return await browser.PostAsync("/pay", form, Cancelled);
    }
}
