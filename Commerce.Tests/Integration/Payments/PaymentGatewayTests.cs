using System.Net;
using System.Net.Sockets;
using Commerce.Core.Payments;
using Commerce.Tests.Unit.ServiceDefaults;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Commerce.Tests.Integration.Payments;

/// <summary>The client of the gateway reports only what is proven.</summary>
public sealed class PaymentGatewayTests(CommerceStack stack) : StackTests(stack)
{
    readonly string _order = Guid.CreateVersion7().ToString();

    [Fact]
    public async Task An_approval_tells_what_was_captured()
    {
        using var shop = Shop();
        var id = await Stack.Sandbox.PayAsync(_order, 12_000, "alice");

        var approved = Assert.IsType<ApproveOutcome.Approved>(await shop.Gateway.ApproveAsync(id, _order, Cancelled));

        Assert.Equal(new ApproveOutcome.Approved(_order, 12_000), approved);
        Assert.Equal(new FindOutcome.Found(12_000, 0, _order), await shop.Gateway.FindAsync(id, Cancelled));
        Assert.IsType<ApproveOutcome.AlreadyComplete>(await shop.Gateway.ApproveAsync(id, _order + "-2", Cancelled));
    }

    [Theory]
    [InlineData("hang", false)]
    [InlineData("drop", false)]
    [InlineData("status5xx", false)]
    [InlineData("malformed", false)]
    [InlineData("empty", false)]
    [InlineData("approveThenHang", true)]
    [InlineData("approveThenDrop", true)]
    [InlineData("approveThen5xx", true)]
    [InlineData("approveThenMalformed", true)]
    [InlineData("approveThenEmpty", true)]
    public async Task Where_the_answer_proves_nothing_the_outcome_is_unknown_and_the_history_tells(string kind, bool captured)
    {
        using var shop = Shop();
        using var hasty = Shop(approveTimeout: TimeSpan.FromSeconds(1));
        var id = await Stack.Sandbox.PayAsync(_order, 500, fault: new(kind, "apply", Count: 1));

        Assert.IsType<ApproveOutcome.Unknown>(await (kind is "hang" or "approveThenHang" ? hasty : shop).Gateway.ApproveAsync(id, _order, Cancelled));

        var found = await shop.Gateway.FindAsync(id, Cancelled);
        if (captured) Assert.Equal(500, Assert.IsType<FindOutcome.Found>(found).CapturedAmount);
        else Assert.IsType<FindOutcome.NotCaptured>(found);
        Assert.Equal(1, Assert.Single(await Stack.Sandbox.LedgerAsync(_order)).ApplyCalls);
        // The same key returns the lost response, or captures now.
        Assert.IsType<ApproveOutcome.Approved>(await shop.Gateway.ApproveAsync(id, _order, Cancelled));
    }

    [Fact]
    public async Task What_is_not_captured_yet_may_be_captured_after_the_caller_gave_up()
    {
        using var shop = Shop();
        using var hasty = Shop(approveTimeout: TimeSpan.FromMilliseconds(500));
        var id = await Stack.Sandbox.PayAsync(_order, 500, fault: new("delay", "apply", DelayMs: 5000));

        Assert.IsType<ApproveOutcome.Unknown>(await hasty.Gateway.ApproveAsync(id, _order, Cancelled));
        Assert.IsType<FindOutcome.NotCaptured>(await shop.Gateway.FindAsync(id, Cancelled));
        Assert.IsType<ApproveOutcome.InProgress>(await shop.Gateway.ApproveAsync(id, _order + "-2", Cancelled));

        await Eventually.GetAsync(() => shop.Gateway.FindAsync(id, Cancelled), found => found is FindOutcome.Found);
    }

    [Theory]
    [InlineData("NotEnoughAccountBalance")]
    [InlineData("OwnerAuthFail")]
    [InlineData("TimeExpired")]
    [InlineData("MaintenanceOngoing")]
    [InlineData("FaultCheckOngoing")]
    [InlineData("BankMaintenance")]
    [InlineData("InvalidMerchant")]
    [InlineData("Fail")]
    public async Task Refusals_are_told_in_the_gateways_words(string code)
    {
        using var shop = Shop();
        var id = await Stack.Sandbox.PayAsync(_order, 500, fault: new("code", "apply", Code: code));

        var refused = Assert.IsType<ApproveOutcome.Refused>(await shop.Gateway.ApproveAsync(id, _order, Cancelled));

        Assert.Equal(code, refused.Code);
        Assert.NotEmpty(refused.Message);
        Assert.IsType<FindOutcome.NotCaptured>(await shop.Gateway.FindAsync(id, Cancelled));
    }

    [Fact]
    public async Task A_code_that_nobody_knows_proves_nothing()
    {
        using var shop = Shop();
        var id = await Stack.Sandbox.PayAsync(_order, 500, fault: new("code", Code: "Somehow"));

        Assert.Equal(new ApproveOutcome.Unknown("code Somehow"), await shop.Gateway.ApproveAsync(id, _order, Cancelled));
        Assert.Equal(new FindOutcome.Unknown("code Somehow"), await shop.Gateway.FindAsync(id, Cancelled));
        Assert.Equal(new CancelOutcome.Unknown("code Somehow"), await shop.Gateway.CancelAsync(id, 1, 0, "Test", _order, Cancelled));
    }

    [Theory]
    [InlineData("wrongAmount", 501, "")]
    [InlineData("wrongOrder", 500, "-other")]
    public async Task An_answer_is_passed_on_as_it_is_and_can_be_cancelled(string kind, long amount, string suffix)
    {
        using var shop = Shop();
        var id = await Stack.Sandbox.PayAsync(_order, 500, fault: new(kind, "apply"));

        var approved = Assert.IsType<ApproveOutcome.Approved>(await shop.Gateway.ApproveAsync(id, _order, Cancelled));
        Assert.Equal((amount, _order + suffix), (approved.Amount, approved.OrderId));
        var found = Assert.IsType<FindOutcome.Found>(await shop.Gateway.FindAsync(id, Cancelled));
        Assert.Equal((amount, _order + suffix), (found.CapturedAmount, found.OrderId));

        Assert.Equal(0, RestOf(await shop.Gateway.CancelAsync(id, amount, 0, "Mismatch", _order, Cancelled)));
        Assert.Equal("CANCELLED", Assert.Single(await Stack.Sandbox.LedgerAsync(_order)).State);
    }

    [Theory]
    [InlineData("hang")]
    [InlineData("drop")]
    [InlineData("status5xx")]
    [InlineData("malformed")]
    [InlineData("empty")]
    public async Task A_history_that_does_not_answer_says_nothing_about_the_capture(string kind)
    {
        using var shop = Shop();
        using var hasty = Shop(queryTimeout: TimeSpan.FromSeconds(1));
        var id = await Stack.Sandbox.PayAsync(_order, 500, fault: new(kind, "history", Count: 1));

        Assert.IsType<FindOutcome.Unknown>(await (kind == "hang" ? hasty : shop).Gateway.FindAsync(id, Cancelled));
        Assert.IsType<FindOutcome.NotCaptured>(await shop.Gateway.FindAsync(id, Cancelled));
    }

    [Fact]
    public async Task Cancels_add_up_in_the_history()
    {
        using var shop = Shop();
        var id = await CaptureAsync(shop, 1000);

        Assert.Equal(700, RestOf(await shop.Gateway.CancelAsync(id, 300, 700, "Part", _order + "-1", Cancelled)));
        Assert.Equal(700, RestOf(await shop.Gateway.CancelAsync(id, 300, 700, "Part", _order + "-1", Cancelled)));
        Assert.Equal("RestAmountDiff", Refusal(await shop.Gateway.CancelAsync(id, 300, 700, "Part", _order + "-2", Cancelled)));
        Assert.Equal("OverRemainAmount", Refusal(await shop.Gateway.CancelAsync(id, 701, 0, "Part", _order + "-3", Cancelled)));
        Assert.Equal(300, Assert.IsType<FindOutcome.Found>(await shop.Gateway.FindAsync(id, Cancelled)).CancelledAmount);
        Assert.Equal(0, RestOf(await shop.Gateway.CancelAsync(id, 700, 0, "환불 요청".PadRight(400, '가'), _order + "-4", Cancelled)));
        Assert.Equal(0, RestOf(await shop.Gateway.CancelAsync(id, 700, 0, "Again", _order + "-5", Cancelled)));

        var found = Assert.IsType<FindOutcome.Found>(await shop.Gateway.FindAsync(id, Cancelled));
        Assert.Equal((1000, 1000), (found.CapturedAmount, found.CancelledAmount));

        static string Refusal(CancelOutcome outcome) => Assert.IsType<CancelOutcome.Refused>(outcome).Code;
    }

    [Theory]
    [InlineData("hang", false)]
    [InlineData("drop", false)]
    [InlineData("status5xx", false)]
    [InlineData("malformed", false)]
    [InlineData("empty", false)]
    [InlineData("approveThenHang", true)]
    [InlineData("approveThenDrop", true)]
    [InlineData("approveThen5xx", true)]
    [InlineData("approveThenMalformed", true)]
    [InlineData("approveThenEmpty", true)]
    public async Task A_cancel_without_a_proof_can_be_repeated_with_its_key(string kind, bool cancelled)
    {
        using var shop = Shop();
        using var hasty = Shop(cancelTimeout: TimeSpan.FromSeconds(1));
        var id = await CaptureAsync(shop, 500, new(kind, "cancel", Count: 1));

        Assert.IsType<CancelOutcome.Unknown>(
            await (kind is "hang" or "approveThenHang" ? hasty : shop).Gateway.CancelAsync(id, 200, 300, "Test", _order, Cancelled));
        Assert.Equal(cancelled ? 200 : 0, Assert.IsType<FindOutcome.Found>(await shop.Gateway.FindAsync(id, Cancelled)).CancelledAmount);

        Assert.Equal(300, RestOf(await shop.Gateway.CancelAsync(id, 200, 300, "Test", _order, Cancelled)));
        Assert.Equal(200, Assert.Single(await Stack.Sandbox.LedgerAsync(_order)).Cancelled);
    }

    [Theory]
    [InlineData("CancelNotComplete")]
    [InlineData("PreCancelNotComplete")]
    [InlineData("AlreadyOnGoing")]
    [InlineData("MaintenanceOngoing")]
    public async Task A_cancel_that_is_not_complete_is_asked_for_again(string code)
    {
        using var shop = Shop();
        var id = await CaptureAsync(shop, 500, new("code", "cancel", Count: 2, Code: code));

        for (var i = 0; i < 2; i++)
            Assert.Equal(code, Assert.IsType<CancelOutcome.NotComplete>(await shop.Gateway.CancelAsync(id, 500, 0, "Test", _order, Cancelled)).Code);
        Assert.Equal(0, RestOf(await shop.Gateway.CancelAsync(id, 500, 0, "Test", _order, Cancelled)));
    }

    [Fact]
    public async Task Where_nobody_listens_nothing_was_executed()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var address = new Uri($"http://{listener.LocalEndpoint}");
        listener.Stop();
        using var shop = Shop(address: address);

        Assert.IsType<ApproveOutcome.NotExecuted>(await shop.Gateway.ApproveAsync("any", _order, Cancelled));
        Assert.IsType<FindOutcome.Unknown>(await shop.Gateway.FindAsync("any", Cancelled));
        Assert.Equal(CancelOutcome.NotExecuted, Assert.IsType<CancelOutcome.NotComplete>(await shop.Gateway.CancelAsync("any", 1, 0, "Test", _order, Cancelled)).Code);
    }

    [Fact]
    public async Task Where_the_merchant_is_not_let_in_nothing_was_executed()
    {
        using var shop = Shop(settings: new() { ["Payments:Gateway:ClientSecret"] = "wrong" });
        var id = await Stack.Sandbox.PayAsync(_order, 500);

        Assert.Equal(new ApproveOutcome.NotExecuted("HTTP 401"), await shop.Gateway.ApproveAsync(id, _order, Cancelled));
        Assert.Equal(new FindOutcome.Unknown("HTTP 401"), await shop.Gateway.FindAsync(id, Cancelled));
        Assert.Equal(0, Assert.Single(await Stack.Sandbox.LedgerAsync(_order)).ApplyCalls);
    }

    [Fact]
    public async Task A_broken_circuit_leaves_captures_alone_and_does_not_pass_for_an_empty_history()
    {
        using var shop = Shop(settings: new() { ["HttpResilience:BreakerMinimumThroughput"] = "2", ["HttpResilience:BreakDuration"] = "00:00:05" });
        var captured = await CaptureAsync(shop, 500);
        var mine = await Stack.Sandbox.PayAsync(_order, 700);
        var broken = await Stack.Sandbox.PayAsync(_order, 900, fault: new("status5xx", "apply"));

        await Eventually.GetAsync(() => shop.Gateway.ApproveAsync(broken, Guid.NewGuid().ToString(), Cancelled), o => o is ApproveOutcome.NotExecuted);

        Assert.IsType<ApproveOutcome.NotExecuted>(await shop.Gateway.ApproveAsync(mine, _order + "-2", Cancelled));
        Assert.IsType<FindOutcome.Unknown>(await shop.Gateway.FindAsync(captured, Cancelled));
        Assert.IsType<CancelOutcome.NotComplete>(await shop.Gateway.CancelAsync(captured, 500, 0, "Test", _order, Cancelled));
        Assert.Equal(0, (await Stack.Sandbox.LedgerAsync(_order)).Single(p => p.PaymentId == mine).ApplyCalls);
        await Eventually.GetAsync(() => shop.Gateway.ApproveAsync(mine, _order + "-3", Cancelled), o => o is ApproveOutcome.Approved);
    }

    [Fact]
    public async Task What_is_proven_stays_proven_whatever_stands_beside_it()
    {
        var entry = $$"""{"paymentId":"pg","merchantPayKey":"{{_order}}","admissionTypeCode":"01","admissionState":"SUCCESS","totalPayAmount":500,"admissionYmdt":"yesterday"}""";
        using var shop = Shop(answer: path => path.EndsWith("history", StringComparison.Ordinal)
            ? """{"code":"Success","body":{"totalPageCount":1,"list":[""" + entry + "]}}"
            : """{"code":"Success","body":{"paymentId":"pg","detail":""" + entry + "}}");

        Assert.Equal(new ApproveOutcome.Approved(_order, 500), await shop.Gateway.ApproveAsync("pg", _order, Cancelled));
        Assert.Equal(new FindOutcome.Found(500, 0, _order), await shop.Gateway.FindAsync("pg", Cancelled));
    }

    [Fact]
    public async Task A_caller_who_gives_up_gets_no_outcome()
    {
        using var shop = Shop();
        var id = await Stack.Sandbox.PayAsync(_order, 500, fault: new("hang", "apply"));
        using var patience = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => shop.Gateway.ApproveAsync(id, _order, patience.Token));
    }

    [Fact]
    public async Task The_secret_is_in_no_log()
    {
        using var shop = Shop();
        await CaptureAsync(shop, 500);

        Assert.NotEmpty(shop.Logs.AtLeast(LogLevel.Trace));
        Assert.DoesNotContain(shop.Logs.AtLeast(LogLevel.Trace), e => e.Message.Contains(Sandbox.ClientSecret, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_address_of_the_pay_window_opens_it()
    {
        var url = Stack.Services.GetRequiredService<PaymentGateway>().PayUrl(_order, 12_000, "alice", "사과 & \"배\"", new Uri("http://localhost:8080/paid?a=1&b=2"));

        using var answer = await Stack.Sandbox.Client.GetAsync(url, Cancelled);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var page = WebUtility.HtmlDecode(await answer.Content.ReadAsStringAsync(Cancelled));
        Assert.Contains("사과 & \"배\"", page);
        Assert.Contains("http://localhost:8080/paid?a=1&b=2", page);
    }

    [Theory]
    [InlineData("BaseAddress", "")]
    [InlineData("BaseAddress", "/relative")]
    [InlineData("ClientSecret", "")]
    [InlineData("ApproveTimeout", "00:00:00")]
    public void An_incomplete_configuration_does_not_start(string key, string value)
    {
        using var shop = Shop(settings: new() { [$"Payments:Gateway:{key}"] = value });
        Assert.Throws<OptionsValidationException>(() => shop.Validate());
    }

    [Theory]
    [InlineData("https://pay.paygate.naver.com", "https://shop.example/naverpay.html", "false", true)]
    [InlineData("http://payment-sandbox:8080", "https://shop.example/pay", "false", false)]
    [InlineData("https://pay.paygate.naver.com.example", "https://shop.example/naverpay.html", "false", false)]
    [InlineData("http://pay.paygate.naver.com", "https://shop.example/naverpay.html", "false", false)]
    [InlineData("http://payment-sandbox:8080", "https://shop.example/pay", "true", true)]
    public void Outside_of_Development_a_gateway_that_is_not_NaverPays_is_used_only_where_the_sandbox_is_asked_for(string address, string window, string sandbox, bool starts)
    {
        using var shop = Shop(settings: new()
        {
            ["Payments:Gateway:BaseAddress"] = address, ["Payments:Gateway:PayWindowUrl"] = window, ["Payments:Gateway:Sandbox"] = sandbox,
        });

        if (starts) shop.Validate();
        else Assert.Contains("Sandbox to true", Assert.Throws<OptionsValidationException>(() => shop.Validate()).Message, StringComparison.Ordinal);
    }

    async Task<string> CaptureAsync(PrivateShop shop, long amount, SandboxFault? fault = null)
    {
        var id = await Stack.Sandbox.PayAsync(_order, amount, fault: fault);
        Assert.IsType<ApproveOutcome.Approved>(await shop.Gateway.ApproveAsync(id, _order + "-capture", Cancelled));
        return id;
    }

    /// <summary>Creates a host per test, so that an open circuit does not affect other tests.</summary>
    PrivateShop Shop(
        TimeSpan? approveTimeout = null, TimeSpan? queryTimeout = null, TimeSpan? cancelTimeout = null, Uri? address = null,
        Dictionary<string, string?>? settings = null, Func<string, string>? answer = null)
    {
        var logs = new RecordedLogs();
        var builder = Host.CreateApplicationBuilder();
        builder.Configuration.AddInMemoryCollection(Sandbox.Configuration(address ?? Stack.Sandbox.Client.BaseAddress!));
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Payments:Gateway:ApproveTimeout"] = (approveTimeout ?? TimeSpan.FromSeconds(10)).ToString(),
            ["Payments:Gateway:QueryTimeout"] = (queryTimeout ?? TimeSpan.FromSeconds(10)).ToString(),
            ["Payments:Gateway:CancelTimeout"] = (cancelTimeout ?? TimeSpan.FromSeconds(10)).ToString(),
        });
        builder.Configuration.AddInMemoryCollection(settings ?? []);
        builder.Logging.ClearProviders().SetMinimumLevel(LogLevel.Trace).AddProvider(logs);
        builder.AddServiceDefaults();
        builder.AddPaymentGateway();
        if (answer is not null)
            builder.Services.AddHttpClient(nameof(PaymentGateway)).ConfigurePrimaryHttpMessageHandler(() => new Answering(answer));
        return new PrivateShop(builder.Build(), logs);
    }

    /// <summary>A gateway that returns the given responses by path.</summary>
    sealed class Answering(Func<string, string> answer) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent(answer(request.RequestUri!.AbsolutePath)), RequestMessage = request });
    }

    sealed record PrivateShop(IHost Host, RecordedLogs Logs) : IDisposable
    {
        public PaymentGateway Gateway => Host.Services.GetRequiredService<PaymentGateway>();

        public void Validate() => Host.Services.GetRequiredService<IStartupValidator>().Validate();

        public void Dispose() => Host.Dispose();
    }

    static long RestOf(CancelOutcome outcome) => Assert.IsType<CancelOutcome.Cancelled>(outcome).RestAmount;
}
