using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Serialization;
using Commerce.Core.Auditing;

namespace Commerce.Workers.Auditing;

/// <summary>
/// <c>Commerce.Workers audit [URL]</c>: asks a running Api for the audit and prints it as a table. Exit code 0 where everything holds, 1 where
/// something does not, 2 where the Api cannot be asked. The token is taken from <c>COMMERCE_TOKEN</c>; in Development it is fetched.
/// </summary>
static class AuditCommand
{
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    public static async Task<int> RunAsync(string[] args)
    {
        using var http = new HttpClient { BaseAddress = new Uri(args.ElementAtOrDefault(1) ?? "http://localhost:8080"), Timeout = Deadline };
        try
        {
            http.DefaultRequestHeaders.Authorization = new("Bearer", Environment.GetEnvironmentVariable("COMMERCE_TOKEN") ?? await DevelopmentTokenAsync(http));
            var report = (await http.GetFromJsonAsync("/api/admin/audit", AuditJson.Default.AuditReport))!;
            foreach (var finding in report.Findings)
                Console.WriteLine($"{finding.Invariant,-5} {(finding.Holds ? "holds" : $"BROKEN {finding.Broken}"),-12} {finding.Promise}{Doubt(finding)}");
            return report.Holds ? 0 : 1;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            await Console.Error.WriteLineAsync($"audit: {http.BaseAddress} cannot be asked: {e.Message}");
            return 2;
        }
    }

    static string Doubt(AuditFinding finding) =>
        finding.NotComparable == 0 ? "" : $" (not comparable: {finding.NotComparable}, the gateway's ledger does not know them)";

    static async Task<string> DevelopmentTokenAsync(HttpClient http)
    {
        using var answer = await http.PostAsync("/api/auth/token", new StringContent("""{"user":"audit","role":"ADMIN"}""", new MediaTypeHeaderValue("application/json")));
        var token = await answer.EnsureSuccessStatusCode().Content.ReadFromJsonAsync(AuditJson.Default.JsonElement);
        return token.GetProperty("accessToken").GetString()!;
    }
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(AuditReport))]
[JsonSerializable(typeof(JsonElement))]
sealed partial class AuditJson : JsonSerializerContext;
