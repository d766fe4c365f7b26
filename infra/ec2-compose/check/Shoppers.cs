#!/usr/bin/env dotnet
// Shoppers for the checks of a deployment: they buy over HTTPS, through the proxy, and keep a list of what they were promised.
// dotnet run Shoppers.cs -- sale   FOLDER                            2,000 press at once on 500 coupons, 300 buy the last 200 pieces
// dotnet run Shoppers.cs -- load   FOLDER SECONDS PER_SECOND LEDGER  a steady stream of them; failed requests are counted and told
// dotnet run Shoppers.cs -- verify FOLDER LEDGER                     everything on the list is there   dotnet run Shoppers.cs --
// audit  FOLDER                            the audit of the shop   dotnet run Shoppers.cs -- tokens FOLDER COUNT CSV
// test users with their tokens for jmeter/; prints an administrator's  FOLDER is the deployed folder: the key that signs the tokens
// is in its secrets, the proxy's root certificate in root.crt. The exit code is 1 where a promise was broken or, without --tolerate,
// a request failed.
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;

var folder = args[1];
var key = Convert.FromBase64String(File.ReadAllText(Path.Combine(folder, "secrets/api/Authentication__Schemes__Bearer__SigningKeys__0__Value")));
var trust = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
trust.CustomTrustStore.Add(X509CertificateLoader.LoadCertificateFromFile(Path.Combine(folder, "root.crt")));
using var http = new HttpClient(new SocketsHttpHandler
{
    SslOptions = new SslClientAuthenticationOptions { CertificateChainPolicy = trust },
    EnableMultipleHttp2Connections = true,
    PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
})
{
    BaseAddress = new Uri("https://localhost"),
    DefaultRequestVersion = HttpVersion.Version20,
    Timeout = TimeSpan.FromSeconds(30),
};
var run = Now().ToString("HHmmss", CultureInfo.InvariantCulture);
var failures = new ConcurrentDictionary<string, int>();
var ledger = new ConcurrentQueue<string>();
var tolerate = args.Contains("--tolerate");

return args[0] switch
{
    "sale" => await SaleAsync(),
    "load" => await LoadAsync(int.Parse(args[2], CultureInfo.InvariantCulture), int.Parse(args[3], CultureInfo.InvariantCulture), args[4]),
    "verify" => await VerifyAsync(File.ReadAllLines(args[2])),
    "tokens" => await TokensAsync(int.Parse(args[2], CultureInfo.InvariantCulture), args[3]),
    "audit" => await AuditAsync() ? 0 : 1,
    _ => 2,
};

async Task<int> SaleAsync()
{
    var (coupon, product) = (await CouponAsync(500), await ProductAsync(200));
    var clock = Stopwatch.StartNew();
    var answers = await Task.WhenAll(Enumerable.Range(0, 2000).Select(i => IssueAsync(coupon, $"s{run}-{i}")));
    Console.WriteLine($"2,000 pressed at once on 500 coupons: {Count(answers)}, in {clock.Elapsed.TotalSeconds:F1} s");
    clock.Restart();
    using var few = new SemaphoreSlim(48);
    var bought = await Task.WhenAll(Enumerable.Range(0, 300).Select(async i =>
    {
        await few.WaitAsync();
        try { return await BuyAsync(product, $"b{run}-{i}"); }
        finally { few.Release(); }
    }));
    Console.WriteLine($"300 bought the last 200 pieces: {Count(bought)}, in {clock.Elapsed.TotalSeconds:F1} s");
    var exact = answers.Count(a => a == "ok") == 500 && bought.Count(b => b == "ok") == 200;
    if (!exact) Console.WriteLine("BROKEN: not exactly 500 coupons and 200 purchases");
    return await VerifyAsync([.. ledger]) == 0 && await AuditAsync() && exact && failures.IsEmpty ? 0 : 1;
}

async Task<int> LoadAsync(int seconds, int perSecond, string file)
{
    var (coupon, product) = (await CouponAsync(1_000_000), await ProductAsync(1_000_000));
    var clock = Stopwatch.StartNew();
    var (sent, slowest) = (0, 0L);
    var running = new ConcurrentBag<Task>();
    for (var i = 0; clock.Elapsed.TotalSeconds < seconds; i++)
    {
        var user = $"l{run}-{i}";
        running.Add(Task.Run(async () =>
        {
            var start = Stopwatch.GetTimestamp();
            await ((Interlocked.Increment(ref sent) % 10) switch
            {
                0 => BuyAsync(product, user),
                < 4 => SendAsync("products", HttpMethod.Get, "/api/products", null),
                _ => (Task)IssueAsync(coupon, user),
            });
            var took = (long)Stopwatch.GetElapsedTime(start).TotalMilliseconds;
            for (var seen = Volatile.Read(ref slowest); took > seen && Interlocked.CompareExchange(ref slowest, took, seen) != seen; seen = Volatile.Read(ref slowest)) { }
        }));
        var due = TimeSpan.FromSeconds((i + 1.0) / perSecond) - clock.Elapsed;
        if (due > TimeSpan.Zero) await Task.Delay(due);
    }
    await Task.WhenAll(running);
    await File.WriteAllLinesAsync(file, ledger);
    Console.WriteLine($"{sent} shoppers in {seconds} s, the slowest waited {slowest} ms; {ledger.Count} promises; failed requests: {failures.Values.Sum()}");
    foreach (var (what, count) in failures.OrderByDescending(f => f.Value).Take(10)) Console.WriteLine($"  {count} × {what}");
    return failures.IsEmpty || tolerate ? 0 : 1;
}

async Task<int> VerifyAsync(string[] promises)
{
    var broken = new ConcurrentBag<string>();
    using var few = new SemaphoreSlim(64);
    await Task.WhenAll(promises.Select(async promise =>
    {
        await few.WaitAsync();
        try
        {
            var (what, id, user) = promise.Split(' ') is [var a, var b, var c] ? (a, b, c) : throw new FormatException(promise);
            for (var tries = 0; ; tries++)
            {
                var (status, body) = await SendAsync("verify", HttpMethod.Get, what == "coupon" ? $"/api/coupons/{id}/issue" : $"/api/orders/{id}", user);
                var kept = status == HttpStatusCode.OK && (string?)body?["status"] == (what == "coupon" ? "ISSUED" : "PAID");
                if (kept) return;
                if (tries == 60)
                {
                    broken.Add($"{promise}: {(int)status} {(string?)body?["status"]}");
                    return;
                }
                await Task.Delay(500);
            }
        }
        finally { few.Release(); }
    }));
    Console.WriteLine($"{promises.Length} promises, {broken.Count} broken");
    foreach (var promise in broken.Take(10)) Console.WriteLine($"  {promise}");
    return broken.IsEmpty ? 0 : 1;
}

async Task<int> TokensAsync(int count, string file)
{
    await File.WriteAllLinesAsync(file, ["user,token", .. Enumerable.Range(0, count).Select(i => $"j{run}-{i},{Token($"j{run}-{i}", "MEMBER")}")]);
    Console.WriteLine(Token("checker", "ADMIN"));
    return 0;
}

async Task<bool> AuditAsync()
{
    for (var tries = 0; ; tries++)
    {
        var (_, report) = await SendAsync("audit", HttpMethod.Get, "/api/admin/audit", "checker", role: "ADMIN");
        var open = report?["findings"]?.AsArray().Where(f => !(bool)f!["holds"]!).Select(f => $"{f!["invariant"]} {f["promise"]}: {f["broken"]}").ToList();
        if (open is { Count: 0 })
        {
            var findings = report!["findings"]!.AsArray();
            Console.WriteLine($"The audit is clean: {findings.Count} findings hold, {findings.Sum(f => (long?)f!["notComparable"] ?? 0)} payments not comparable.");
            return true;
        }
        if (tries == 60)
        {
            Console.WriteLine("The audit is NOT clean: " + string.Join("; ", open ?? ["no answer"]));
            return false;
        }
        await Task.Delay(1000);
    }
}

async Task<long> CouponAsync(int total) => (long)(await AdminAsync("/api/admin/coupons", new()
{
    ["name"] = $"Check {run}", ["discount"] = 1000, ["totalQuantity"] = total, ["startsAt"] = Now().AddHours(-1), ["endsAt"] = Now().AddDays(30),
}))["id"]!;

async Task<long> ProductAsync(int stock) =>
    (long)(await AdminAsync("/api/admin/products", new() { ["name"] = $"Check {run}", ["price"] = 5000, ["stock"] = stock, ["onSale"] = true }))["id"]!;

async Task<JsonNode> AdminAsync(string path, JsonObject body)
{
    var (status, answer) = await SendAsync("set-up", HttpMethod.Post, path, "checker", body, role: "ADMIN");
    return status == HttpStatusCode.Created ? answer! : throw new InvalidOperationException($"{path}: {(int)status} {answer}");
}

async Task<string> IssueAsync(long coupon, string user)
{
    var (status, body) = await SendAsync("issue", HttpMethod.Post, $"/api/coupons/{coupon}/issue", user);
    if (status == HttpStatusCode.Accepted) ledger.Enqueue($"coupon {coupon} {user}");
    return Outcome(status, body);
}

async Task<string> BuyAsync(long product, string user)
{
    var order = new JsonObject
    {
        ["items"] = new JsonArray(new JsonObject { ["productId"] = product, ["quantity"] = 1 }),
        ["shipping"] = new JsonObject { ["recipient"] = "Check", ["phone"] = "010-1234-5678", ["zipcode"] = "04524", ["address1"] = "1 Sejong-daero" },
    };
    var (status, placed) = await SendAsync("order", HttpMethod.Post, "/api/orders", user, order, $"o-{user}");
    if (status != HttpStatusCode.Created) return Outcome(status, placed);
    var (id, amount) = ((string)placed!["orderId"]!, (long)placed["totalAmount"]!);
    (status, var prepared) = await SendAsync("prepare", HttpMethod.Post, "/api/payments/prepare", user, new() { ["orderId"] = id, ["amount"] = amount }, $"p-{user}");
    if (status != HttpStatusCode.OK) return Outcome(status, prepared);
    // What the shopper would do in the pay window.
    (status, var paid) = await SendAsync("pay", HttpMethod.Post, "/pay", null,
        new() { ["merchantPayKey"] = id, ["totalPayAmount"] = amount, ["merchantUserKey"] = user, ["productName"] = "Check" });
    if (status != HttpStatusCode.OK) return Outcome(status, paid);
    (status, var approved) = await SendAsync(
        "approve", HttpMethod.Post, "/api/payments/approve", user, new() { ["orderId"] = id, ["pgPaymentId"] = (string)paid!["paymentId"]! }, $"a-{user}");
    if (status is HttpStatusCode.OK or HttpStatusCode.Accepted) ledger.Enqueue($"order {id} {user}");
    return Outcome(status, approved);
}

async Task<(HttpStatusCode, JsonNode?)> SendAsync(string what, HttpMethod method, string path, string? user, JsonObject? body = null, string? idempotencyKey = null, string role = "MEMBER")
{
    using var request = new HttpRequestMessage(method, path) { Version = HttpVersion.Version20 };
    if (user is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", Token(user, role));
    if (idempotencyKey is not null) request.Headers.Add("Idempotency-Key", idempotencyKey);
    if (body is not null) request.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
    try
    {
        using var answer = await http.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        if ((int)answer.StatusCode >= 500 || answer.StatusCode == HttpStatusCode.TooManyRequests) Failed($"{what}: {(int)answer.StatusCode} {text}");
        return (answer.StatusCode, text.StartsWith('{') || text.StartsWith('[') ? JsonNode.Parse(text) : null);
    }
    catch (Exception e) when (e is HttpRequestException or TaskCanceledException or IOException)
    {
        Failed($"{what}: {e.Message} {e.InnerException?.Message}");
        return (0, null);
    }
}

void Failed(string what)
{
    if (!what.StartsWith("verify", StringComparison.Ordinal) && !what.StartsWith("audit", StringComparison.Ordinal))
        failures.AddOrUpdate(what.Length > 200 ? what[..200] : what, 1, (_, n) => n + 1);
}

static string Outcome(HttpStatusCode status, JsonNode? body) =>
    (int)status is >= 200 and < 300 ? "ok" : ((string?)body?["type"])?.Replace("urn:commerce:", "", StringComparison.Ordinal) ?? ((int)status).ToString(CultureInfo.InvariantCulture);

static string Count(IEnumerable<string> outcomes) => string.Join(", ", outcomes.GroupBy(o => o).OrderByDescending(g => g.Count()).Select(g => $"{g.Count()} {g.Key}"));

string Token(string user, string role)
{
    var head = Base64Url("""{"alg":"HS256","typ":"JWT"}"""u8);
    var now = Now().ToUnixTimeSeconds();
    var claims = Base64Url(Encoding.UTF8.GetBytes($$"""{"iss":"check","aud":"commerce","sub":"{{user}}","role":"{{role}}","nbf":{{now - 60}},"exp":{{now + 3600}}}"""));
    return $"{head}.{claims}.{Base64Url(HMACSHA256.HashData(key, Encoding.ASCII.GetBytes($"{head}.{claims}")))}";
}

static string Base64Url(ReadOnlySpan<byte> bytes) => Convert.ToBase64String(bytes).TrimEnd('=').Replace('+', '-').Replace('/', '_');

static DateTimeOffset Now() => TimeProvider.System.GetUtcNow();
