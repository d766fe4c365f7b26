using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Commerce.Bench;

/// <summary>What one run of wrk measured; latencies in ms.</summary>
sealed record LoadResult(long Requests, double Seconds, long Refused, long Failed, double P50, double P99)
{
    public double PerSecond => Requests / Seconds;
}

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(LoadResult))]
sealed partial class LoadJson : JsonSerializerContext;

/// <summary>Load on one URL: as much as goes, or at a constant rate.</summary>
static class Load
{
    const int Connections = 64;

    /// <summary>As much as goes for that long, by wrk with one thread; each request is the next token's.</summary>
    public static async Task<LoadResult> AsMuchAsGoesAsync(Uri url, string tokensFile, TimeSpan duration)
    {
        var start = new ProcessStartInfo("wrk",
            ["-t1", $"-c{Connections}", $"-d{duration.TotalSeconds:F0}s", "-s", Path.Combine(AppContext.BaseDirectory, "load.lua"),
             $"{url.Scheme}://{url.Authority}", "--", "POST", url.AbsolutePath, tokensFile]) { RedirectStandardOutput = true };
        using var wrk = Process.Start(start)!;
        var output = await wrk.StandardOutput.ReadToEndAsync();
        await wrk.WaitForExitAsync();
        var line = output.Split('\n').LastOrDefault(l => l.StartsWith('{')) ?? throw new InvalidOperationException($"wrk failed: {output}");
        return JsonSerializer.Deserialize(line, LoadJson.Default.LoadResult)!;
    }

    /// <summary>
    /// One request for each token at a constant rate, timed from the moment at which it was due, so that a stall counts for all who wait.
    /// Returns the latencies in ms, sorted.
    /// </summary>
    public static async Task<double[]> AtRateAsync(HttpClient http, Uri url, IReadOnlyList<string> tokens, double perSecond)
    {
        var latencies = new ConcurrentBag<double>();
        var running = new List<Task>(tokens.Count);
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < tokens.Count;)
        {
            var due = (int)Math.Min(tokens.Count, Stopwatch.GetElapsedTime(start).TotalSeconds * perSecond);
            for (; i < due; i++) running.Add(SendAsync(tokens[i], TimeSpan.FromSeconds(i / perSecond)));
            await Task.Delay(1);
        }

        await Task.WhenAll(running);
        return [.. latencies.Order()];

        async Task SendAsync(string token, TimeSpan due)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, url);
            request.Headers.Authorization = new("Bearer", token);
            using var answer = await http.SendAsync(request);
            answer.EnsureSuccessStatusCode();
            latencies.Add((Stopwatch.GetElapsedTime(start) - due).TotalMilliseconds);
        }
    }
}
