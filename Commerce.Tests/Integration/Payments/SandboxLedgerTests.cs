using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Commerce.Tests.Integration.Payments;

/// <summary>The sandbox's ledger lives as long as the database that it is compared with.</summary>
public sealed partial class SandboxLedgerTests : IDisposable
{
    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("commerce-sandbox-");

    string File => Path.Combine(_folder.FullName, "data", "ledger");

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task What_was_authorised_captured_and_cancelled_is_there_again_after_a_kill()
    {
        string since, ledger, history;
        var before = await StartAsync();
        var (captured, authorised) = ("", "");
        await using (before)
        {
            captured = await PayAsync(before, "order-1", 1000);
            await CallAsync(before, "v2.2/apply/payment", new() { ["paymentId"] = captured });
            await CallAsync(before, "v1/cancel", new() { ["paymentId"] = captured, ["cancelAmount"] = "300", ["cancelReason"] = "why", ["cancelRequester"] = "1" });
            authorised = await PayAsync(before, "order-2", 500);
            (since, ledger, history) = await ReadAsync(before);
        }

        // The process ended in the middle of a line.
        await System.IO.File.AppendAllTextAsync(File, """{"id":"2026""", Cancelled);

        await using var after = await StartAsync();
        Assert.Equal((since, ledger, history), await ReadAsync(after));
        // The next line is written after it.
        await CallAsync(after, "v1/cancel", new() { ["paymentId"] = captured, ["cancelAmount"] = "700", ["cancelReason"] = "why", ["cancelRequester"] = "1" });
        Assert.Equal("Success", (string?)(await CallAsync(after, "v2.2/apply/payment", new() { ["paymentId"] = authorised }))["code"]);
        Assert.Equal("AlreadyComplete", (string?)(await CallAsync(after, "v2.2/apply/payment", new() { ["paymentId"] = authorised }))["code"]);
        (since, ledger, history) = await ReadAsync(after);
        await after.DisposeAsync();
        await using var again = await StartAsync();
        Assert.Equal((since, ledger, history), await ReadAsync(again));
    }

    [Fact]
    public async Task Without_a_file_the_ledger_says_that_it_begins_anew()
    {
        var start = TimeProvider.System.GetUtcNow();
        await using var sandbox = await StartAsync(file: "");

        Assert.True(DateTimeOffset.Parse((await ReadAsync(sandbox)).Since, System.Globalization.CultureInfo.InvariantCulture) >= start);
    }

    [Fact]
    public async Task Without_switches_the_merchant_s_audit_reads_the_sums_and_nobody_else()
    {
        await using var sandbox = await StartAsync(switches: false);
        await CallAsync(sandbox, "v2.2/apply/payment", new() { ["paymentId"] = await PayAsync(sandbox, "order-1", 1000) });

        Assert.Equal([new SandboxOrder("order-1", 1, 1, 1000, 0)], (await sandbox.Client.GetFromJsonAsync<List<SandboxOrder>>("/sandbox/ledger/summary", Cancelled))!);
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(sandbox.Client, "/sandbox/ledger"));
        using var stranger = new HttpClient { BaseAddress = sandbox.Client.BaseAddress };
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(stranger, "/sandbox/ledger/summary"));
    }

    [Fact]
    public async Task Two_sandboxes_do_not_write_into_one_ledger()
    {
        await using var first = await StartAsync();

        await Assert.ThrowsAsync<InvalidOperationException>(() => StartAsync());
    }

    static async Task<string> PayAsync(RunningSandbox sandbox, string order, long amount)
    {
        using var answer = await sandbox.Client.PostAsJsonAsync("/pay", new { merchantPayKey = order, totalPayAmount = amount, merchantUserKey = "alice", productName = "Tea" }, Cancelled);
        return (string)(await answer.Content.ReadFromJsonAsync<JsonNode>(Cancelled))!["paymentId"]!;
    }

    static async Task<JsonNode> CallAsync(RunningSandbox sandbox, string path, Dictionary<string, string> form)
    {
        using var answer = await sandbox.Client.PostAsync("/naverpay-partner/naverpay/payments/" + path, new FormUrlEncodedContent(form), Cancelled);
        return (await answer.Content.ReadFromJsonAsync<JsonNode>(Cancelled))!;
    }

    static async Task<(string Since, string Ledger, string History)> ReadAsync(RunningSandbox sandbox)
    {
        using var summary = await sandbox.Client.GetAsync("/sandbox/ledger/summary", Cancelled);
        using var history = await sandbox.Client.PostAsJsonAsync("/naverpay-partner/naverpay/payments/v2.2/list/history", new { merchantPayKey = "order-1" }, Cancelled);
        return (summary.Headers.GetValues("Ledger-Since").Single(), await sandbox.Client.GetStringAsync("/sandbox/ledger", Cancelled), await history.Content.ReadAsStringAsync(Cancelled));
    }

    static async Task<HttpStatusCode> StatusAsync(HttpClient client, string path)
    {
        using var answer = await client.GetAsync(path, Cancelled);
        return answer.StatusCode;
    }

    async Task<RunningSandbox> StartAsync(string? file = null, bool switches = true)
    {
        var start = new ProcessStartInfo(Repository.Program("Commerce.PaymentSandbox"), ["--urls", "http://127.0.0.1:0"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in new[] { ("ClientId", Sandbox.ClientId), ("ClientSecret", Sandbox.ClientSecret), ("ChainId", Sandbox.ChainId), ("Switches", $"{switches}"), ("Allowed", "true"), ("LedgerFile", file ?? File) })
            start.Environment["Sandbox__" + name] = value;
        var process = Process.Start(start)!;
        process.ErrorDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        while (await process.StandardOutput.ReadLineAsync(Cancelled) is { } line)
        {
            if (Listening().Match(line) is not { Success: true } found) continue;
            _ = process.StandardOutput.ReadToEndAsync(Cancelled);
            return new(process, new Uri(found.Groups[1].Value));
        }

        await process.WaitForExitAsync(Cancelled);
        process.Dispose();
        throw new InvalidOperationException("The sandbox did not start.");
    }

    [GeneratedRegex(@"Now listening on: (http://\S+)")]
    private static partial Regex Listening();

    sealed class RunningSandbox : IAsyncDisposable
    {
        readonly Process _process;

        public RunningSandbox(Process process, Uri url)
        {
            (_process, Client) = (process, new HttpClient { BaseAddress = url });
            Client.DefaultRequestHeaders.Add("X-Naver-Client-Id", Sandbox.ClientId);
            Client.DefaultRequestHeaders.Add("X-Naver-Client-Secret", Sandbox.ClientSecret);
            Client.DefaultRequestHeaders.Add("X-NaverPay-Chain-Id", Sandbox.ChainId);
        }

        public HttpClient Client { get; }

        public async ValueTask DisposeAsync()
        {
            Client.Dispose();
            try
            {
                _process.Kill();
                await _process.WaitForExitAsync();
            }
            catch (InvalidOperationException)
            {
                // The process had already ended.
            }

            _process.Dispose();
        }
    }
}
