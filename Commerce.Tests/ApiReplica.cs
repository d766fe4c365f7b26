using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using Commerce.Hosting.Native;

namespace Commerce.Tests;

/// <summary>An additional replica of the Api on the stack's MySQL, Redis and Kafka. It is a process with its own settings.</summary>
public sealed partial class ApiReplica : IAsyncDisposable
{
    const int SigTerm = 15;

    readonly Process _process;

    ApiReplica(Process process, Uri url) => (_process, Url) = (process, url);

    public Uri Url { get; }

    public static async Task<ApiReplica> StartAsync(CommerceStack stack, params (string Name, string Value)[] settings)
    {
        var url = new Uri($"http://127.0.0.1:{FreePorts.Take()}");
        var process = await StartProcessAsync(stack, url, settings);
        var replica = new ApiReplica(process, url);
        using var client = new HttpClient { BaseAddress = url };
        await Eventually.EqualAsync(true, async () =>
        {
            try
            {
                return (await client.GetAsync("/health")).IsSuccessStatusCode;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        });
        return replica;
    }

    /// <summary>Starts a replica with invalid settings and returns its output.</summary>
    public static async Task<string> RefusesToStartAsync(CommerceStack stack, params (string Name, string Value)[] settings)
    {
        using var process = await StartProcessAsync(stack, new Uri($"http://127.0.0.1:{FreePorts.Take()}"), settings);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(TimeSpan.FromMinutes(1));
        try
        {
            var said = await process.StandardError.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);
            Assert.NotEqual(0, process.ExitCode);
            return said;
        }
        finally
        {
            if (!process.HasExited) process.Kill();
        }
    }

    static async Task<Process> StartProcessAsync(CommerceStack stack, Uri url, (string Name, string Value)[] settings)
    {
        var start = await LikeAsync(stack, "api", "Commerce.Api", "--urls", url.ToString());
        start.RedirectStandardError = true;
        start.Environment["Logging__LogLevel__Default"] = "Warning";
        foreach (var (name, value) in settings) start.Environment[name] = value;
        var process = Process.Start(start)!;
        // The output is read continuously, because a full pipe would block the process.
        process.OutputDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        return process;
    }

    /// <summary>Starts another process of a program with the stack's configuration.</summary>
    public static async Task<ProcessStartInfo> LikeAsync(CommerceStack stack, string resource, string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(Repository.Program(program), arguments)
        {
            RedirectStandardOutput = true,
        };
        foreach (var variable in (await File.ReadAllTextAsync($"/proc/{await stack.PidAsync(resource)}/environ")).Split('\0', StringSplitOptions.RemoveEmptyEntries))
            start.Environment[variable[..variable.IndexOf('=', StringComparison.Ordinal)]] = variable[(variable.IndexOf('=', StringComparison.Ordinal) + 1)..];
        start.Environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = "";
        return start;
    }

    /// <summary>Calls this replica as a user, with a token that it signed.</summary>
    public async Task<HttpClient> UserAsync(string user)
    {
        var client = new HttpClient { BaseAddress = Url };
        using var answer = await client.PostAsJsonAsync("/api/auth/token", new { user, role = "MEMBER" });
        var token = await answer.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<JsonElement>();
        client.DefaultRequestHeaders.Authorization = new("Bearer", token.GetProperty("accessToken").GetString());
        return client;
    }

    /// <summary>Stops the replica as an orchestrator would. Returns the time that it took.</summary>
    public async Task<TimeSpan> TerminateAsync()
    {
        var start = Stopwatch.GetTimestamp();
        Assert.Equal(0, Kill(_process.Id, SigTerm));
        await _process.WaitForExitAsync();
        return Stopwatch.GetElapsedTime(start);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited) _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int pid, int signal);
}
