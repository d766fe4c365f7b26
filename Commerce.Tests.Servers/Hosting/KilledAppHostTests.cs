using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Commerce.Tests.Servers.Hosting;

/// <summary>No process outlives the AppHost, however it ends.</summary>
public sealed class KilledAppHostTests
{
    const string Mark = "COMMERCE_TEST_MARK";

    [Fact]
    public async Task No_process_is_left_after_the_AppHost_was_killed()
    {
        var mark = Guid.NewGuid().ToString("N");
        var start = new ProcessStartInfo("dotnet")
        {
            ArgumentList = { "exec", Path.Combine(AppContext.BaseDirectory, "Commerce.AppHost.dll"), "--NativeServers=true", "--Data:Keep=false", "--DcpPublisher:RandomizePorts=true" },
            Environment =
            {
                [Mark] = mark,
                ["DOTNET_ENVIRONMENT"] = "Development",
                ["ASPIRE_ALLOW_UNSECURED_TRANSPORT"] = "true",
                ["ASPNETCORE_URLS"] = FreeUrl(),
                ["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"] = FreeUrl(),
                ["ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL"] = FreeUrl(),
            },
            RedirectStandardOutput = true,
        };
        using var appHost = Process.Start(start)!;
        try
        {
            await SaysAsync(appHost, "Distributed application started", TimeSpan.FromMinutes(5));
            Assert.InRange(Marked(mark).Count, 5, 100); // itself, the engine, MySQL, Redis and Kafka at least
        }
        finally
        {
            appHost.Kill();
        }

        await Eventually.GetAsync(() => Task.FromResult(string.Join(", ", Marked(mark))), left => left.Length == 0);
    }

    static string FreeUrl()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return $"http://{listener.LocalEndpoint}";
    }

    static async Task SaysAsync(Process process, string text, TimeSpan deadline)
    {
        using var limit = new CancellationTokenSource(deadline);
        while (await process.StandardOutput.ReadLineAsync(limit.Token) is { } line)
            if (line.Contains(text, StringComparison.Ordinal)) return;
        Assert.Fail($"The AppHost ended without saying '{text}'.");
    }

    /// <summary>Finds the processes that inherited the mark, anywhere in the process tree.</summary>
    static List<string> Marked(string mark)
    {
        var wanted = Encoding.UTF8.GetBytes($"{Mark}={mark}\0");
        var found = new List<string>();
        foreach (var process in Directory.GetDirectories("/proc").Where(p => char.IsAsciiDigit(Path.GetFileName(p)[0])))
        {
            try
            {
                if (File.ReadAllBytes($"{process}/environ").AsSpan().IndexOf(wanted) >= 0)
                    found.Add($"{Path.GetFileName(process)} {File.ReadAllText($"{process}/comm").Trim()}");
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // The process has ended meanwhile, or belongs to another user.
            }
        }

        return found;
    }
}
