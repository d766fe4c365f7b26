using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Serialization;
using Commerce.Core;
using Commerce.Core.Consistency;

namespace Commerce.Workers.Consistency;

/// <summary> <c>Commerce.Workers audit [URL] [--within SECONDS]</c>: prints the consistency check as a table. With a URL it calls the
/// Api there, with the token in <c>COMMERCE_TOKEN</c>. In Development it requests a token. Without a URL it uses MySQL and Redis
/// directly if their connection strings are configured, as in the Workers' container.
/// <para>With <c>--within</c> it repeats the check until the time is over, and each finding must hold once. In a running shop some
/// messages are always on their way, but a broken invariant stays broken. Findings that only tell whether the shop is at rest are
/// omitted.</para>
/// <para>Exit codes: 0 if everything holds, 1 if something is broken, 2 if the shop is unavailable or the arguments are wrong.</para>
/// </summary>
static class ConsistencyCommand
{
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);
    static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    public static async Task<int> RunAsync(string[] args)
    {
        if (!TryRead(args, out var url, out var within))
        {
            await Console.Error.WriteLineAsync("usage: audit [URL] [--within SECONDS], for example audit http://localhost:8080 --within 10");
            return 2;
        }

        try
        {
            var builder = Host.CreateApplicationBuilder(args);
            builder.Logging.SetMinimumLevel(LogLevel.Warning).AddFilter("StackExchange.Redis", LogLevel.None);
            builder.AddServiceDefaults();
            if (url is not null || builder.Configuration.GetConnectionString("commerce") is not { Length: > 0 })
            {
                using var http = new HttpClient { BaseAddress = url ?? new Uri("http://localhost:8080"), Timeout = Deadline };
                http.DefaultRequestHeaders.Authorization = new("Bearer", Environment.GetEnvironmentVariable("COMMERCE_TOKEN") ?? await DevelopmentTokenAsync(http));
                return await CheckAsync(async () => (await http.GetFromJsonAsync("/api/admin/audit", ConsistencyJson.Default.ConsistencyReport))!, within);
            }

            builder.AddCommerceCore(commandTimeout: Deadline);
            using var host = builder.Build();
            await host.StartAsync();
            var check = host.Services.GetRequiredService<ConsistencyCheck>();
            var code = await CheckAsync(() => check.RunAsync(CancellationToken.None), within);
            await host.StopAsync();
            return code;
        }
        // The response is not the expected JSON, so another server listens there.
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException or JsonException || TransientFaults.IsTransient(e))
        {
            await Console.Error.WriteLineAsync($"audit: {url?.ToString() ?? "the shop"} cannot be asked: {e.Message}");
            return 2;
        }
    }

    static async Task<int> CheckAsync(Func<Task<ConsistencyReport>> ask, TimeSpan? within)
    {
        var start = TimeProvider.System.GetTimestamp();
        var report = await ask();
        if (within is { } limit)
        {
            report = new([.. report.Findings.Where(f => f.Invariant != ConsistencyCheck.AtRest)]);
            while (!report.Holds && TimeProvider.System.GetElapsedTime(start) < limit)
            {
                await Task.Delay(Pause);
                var held = (await ask()).Findings.Where(f => f.Holds).ToDictionary(f => (f.Invariant, f.Promise));
                report = new([.. report.Findings.Select(f => held.GetValueOrDefault((f.Invariant, f.Promise), f))]);
            }
        }

        foreach (var finding in report.Findings)
            Console.WriteLine($"{finding.Invariant,-5} {(finding.Holds ? "holds" : $"BROKEN {finding.Broken}"),-12} {finding.Promise}{NoteOf(finding)}");
        return report.Holds ? 0 : 1;
    }

    /// <summary>Returns false if there are other arguments than a URL, <c>--within SECONDS</c> and settings (<c>--Section:Key=Value</c>).</summary>
    static bool TryRead(string[] args, out Uri? url, out TimeSpan? within)
    {
        (url, within) = (null, null);
        for (var i = 1; i < args.Length; i++)
        {
            if (args[i] == "--within" && int.TryParse(args.ElementAtOrDefault(i + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var seconds))
                (within, i) = (TimeSpan.FromSeconds(seconds), i + 1);
            else if (url is null && Uri.TryCreate(args[i], UriKind.Absolute, out var given) && given.Scheme is "http" or "https")
                url = given;
            else if (args[i] is not ['-', '-', .. var setting] || !setting.Contains('='))
                return false;
        }

        return true;
    }

    static string NoteOf(ConsistencyFinding finding) =>
        finding.NotComparable == 0 ? "" : $" (not comparable: {finding.NotComparable}, the gateway's ledger does not know them)";

    static async Task<string> DevelopmentTokenAsync(HttpClient http)
    {
        using var answer = await http.PostAsync("/api/auth/token", new StringContent("""{"user":"audit","role":"ADMIN"}""", new MediaTypeHeaderValue("application/json")));
        var token = await answer.EnsureSuccessStatusCode().Content.ReadFromJsonAsync(ConsistencyJson.Default.JsonElement);
        return token.GetProperty("accessToken").GetString()!;
    }
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(ConsistencyReport))]
[JsonSerializable(typeof(JsonElement))]
sealed partial class ConsistencyJson : JsonSerializerContext;
