using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Commerce.Bench;

/// <summary>The result of one run of wrk. The latencies are in ms.</summary>
sealed record LoadResult(long Requests, double Seconds, long Refused, long Failed, double P50, double P99)
{
    public double PerSecond => Requests / Seconds;
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(LoadResult))]
sealed partial class LoadJson : JsonSerializerContext;

/// <summary>Load on one URL, at the maximum or at a constant rate.</summary>
static class Load
{
    /// <summary>The number of concurrent callers, each with its own transaction.</summary>
    const int Connections = 64;

    /// <summary>
    /// The number of connections. With fewer, each waiting for its response, Kafka's linger of one millisecond would leave the cores
    /// idle.
    /// </summary>
    public const int Crowd = 256;

    /// <summary>
    /// Runs wrk with one thread at the maximum rate for the given time. Each request has the next token, and a new key if it has a body.
    /// </summary>
    public static async Task<LoadResult> AsMuchAsGoesAsync(Uri url, string tokensFile, TimeSpan duration, string? json = null, int connections = Connections)
    {
        string[] body = json is null ? [] : [json, $"{Guid.NewGuid()}-"];
        var start = new ProcessStartInfo("wrk",
            ["-t1", $"-c{connections}", $"-d{duration.TotalSeconds:F0}s", "-s", Path.Combine(AppContext.BaseDirectory, "load.lua"),
             $"{url.Scheme}://{url.Authority}", "--", "POST", url.AbsolutePath, tokensFile, .. body]) { RedirectStandardOutput = true };
        using var wrk = Process.Start(start)!;
        var output = await wrk.StandardOutput.ReadToEndAsync();
        await wrk.WaitForExitAsync();
        var line = output.Split('\n').LastOrDefault(l => l.StartsWith('{')) ?? throw new InvalidOperationException($"wrk failed: {output}");
        return JsonSerializer.Deserialize(line, LoadJson.Default.LoadResult)!;
    }

    /// <summary>
    /// Sends one request per token at a constant rate. The latency is measured from the due time of a request, so that a stall counts for
    /// all waiting requests. Returns the sorted latencies in ms.
    /// </summary>
    public static async Task<double[]> AtRateAsync(Uri url, IReadOnlyList<string> tokens, double perSecond)
    {
        var requests = tokens.Select(t => RawClient.Post(url, t)).ToArray();
        var latencies = new double[requests.Length];
        // The connections are opened first, because opening them takes as long as a hundred requests.
        var clients = await Task.WhenAll(Enumerable.Range(0, Crowd).Select(_ => RawClient.ConnectAsync(url)));
        var next = -1;
        var start = Stopwatch.GetTimestamp();
        await Task.WhenAll(clients.Select(async connected =>
        {
            using var client = connected;
            for (var i = Interlocked.Increment(ref next); i < requests.Length; i = Interlocked.Increment(ref next))
            {
                var due = TimeSpan.FromSeconds(i / perSecond);
                if (due - Stopwatch.GetElapsedTime(start) is { TotalMilliseconds: > 1 } early) await Task.Delay(early);
                var status = await client.SendAsync(requests[i]);
                if (status != 202) throw new InvalidOperationException($"{url} answered {status}.");
                latencies[i] = (Stopwatch.GetElapsedTime(start) - due).TotalMilliseconds;
            }
        }));
        Array.Sort(latencies);
        return latencies;
    }
}
