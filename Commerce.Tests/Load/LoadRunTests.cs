using System.Diagnostics;
using System.Globalization;

namespace Commerce.Tests.Load;

/// <summary><c>./commerce load</c>, each plan for a few seconds. Without JMeter the command says how to install it.</summary>
[Long]
public sealed class LoadRunTests(CommerceStack stack) : StackTests(stack)
{
    const string HowToGetIt = "JMeter is missing: unpack https://jmeter.apache.org/download_jmeter.cgi";

    static readonly TimeSpan Deadline = TimeSpan.FromMinutes(5);

    static readonly bool Available = Environment.GetEnvironmentVariable("JMETER_HOME") is { Length: > 0 }
        || Environment.GetEnvironmentVariable("PATH")!.Split(':').Any(folder => File.Exists(Path.Combine(folder, "jmeter")));

    [Theory]
    [InlineData("coupon-rush", "--users", "40", "--seconds", "6", "-Jgather=2")]
    [InlineData("checkout", "--users", "3", "--seconds", "6", "-Jramp=1", "-Jthink=100", "-Jtwice.percent=50", "-Jcancel.percent=30", "-Jrefund.percent=50")]
    [InlineData("event-opening", "--users", "20", "--seconds", "8", "-Jramp=1")]
    [InlineData("mixed-day", "--users", "40", "--seconds", "12", "-Jramp=1", "-Jlisteners=10", "-Jthink=100")]
    public async Task A_plan_runs_without_a_failed_assertion_and_every_promise_is_kept(string plan, params string[] options)
    {
        var (code, output) = await LoadAsync(plan, options, "errors <= 0 *");

        if (!Available)
        {
            Assert.Contains(HowToGetIt, output, StringComparison.Ordinal);
            return;
        }

        Assert.True(code == 0, output);
        Assert.Contains("all met", output, StringComparison.Ordinal);
        var statistics = Path.Combine(JMeterFolder.Root, output.Split("Report: ")[1].Trim().Replace("index.html", "statistics.json", StringComparison.Ordinal));
        Assert.DoesNotContain("Warm-up: ", await File.ReadAllTextAsync(statistics, Cancelled), StringComparison.Ordinal);
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_missed_threshold_is_told_and_is_the_exit_code()
    {
        var (code, output) = await LoadAsync("coupon-rush", ["--users", "2", "--seconds", "2", "-Jgather=1"], "errors <= 0 *\nrequests/s >= 1000000 Take the coupon\n");

        Assert.Equal(1, code);
        Assert.Contains(Available ? "missed  Take the coupon: requests/s is " : HowToGetIt, output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http", 80)]
    [InlineData("https", 443)]
    public async Task An_address_without_a_port_means_the_protocol_s(string protocol, int port)
    {
        // The host does not exist, so the set-up fails.
        var (code, output) = await LoadAsync("coupon-rush", ["--host", $"{protocol}://shop.invalid"], "errors <= 0 *");

        Assert.Equal(1, code);
        if (!Available)
        {
            Assert.Contains(HowToGetIt, output, StringComparison.Ordinal);
            return;
        }

        Assert.Contains("load: Set up: ", output, StringComparison.Ordinal);
        var run = Directory.EnumerateDirectories(Path.Combine(JMeterFolder.Root, ".data", "load"), "coupon-rush-*").Order(StringComparer.Ordinal).Last();
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"property: port={port}\n"), await File.ReadAllTextAsync(Path.Combine(run, "jmeter.log"), Cancelled), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_JMeter_one_line_says_how_to_get_it()
    {
        // The folder has everything that the script needs before it looks for JMeter.
        var tools = Directory.CreateTempSubdirectory("commerce-load-");
        try
        {
            foreach (var tool in new[] { "bash", "dirname", "readlink", "date", "mkdir" })
                File.CreateSymbolicLink(Path.Combine(tools.FullName, tool), $"/usr/bin/{tool}");

            var (code, output) = await LoadAsync("checkout", [], "errors <= 0 *", ("JMETER_HOME", ""), ("PATH", tools.FullName));

            Assert.Equal(1, code);
            Assert.Contains(HowToGetIt, Assert.Single(output.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
        }
        finally
        {
            tools.Delete(recursive: true);
        }
    }

    /// <summary>
    /// Runs a plan against the stack with the test's own thresholds, because its speed next to other tests is no promise.
    /// </summary>
    async Task<(int Code, string Output)> LoadAsync(string plan, IEnumerable<string> options, string thresholds, params (string Name, string Value)[] environment)
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, thresholds + "\n", Cancelled);
            var start = new ProcessStartInfo("/usr/bin/bash")
            {
                ArgumentList = { Path.Combine(JMeterFolder.Folder, "load.sh") },
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            };
            // The arguments are the plan, the stack, and the options. A test that sets another host passes it later, so it takes
            // precedence.
            foreach (var argument in (string[])[plan, "--host", Stack.Anonymous.BaseAddress!.ToString(), .. options, "--no-audit", "--thresholds", file, "-Jwarmup=1"])
                start.ArgumentList.Add(argument);
            foreach (var (name, value) in environment) start.Environment[name] = value;
            using var deadline = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
            deadline.CancelAfter(Deadline);
            using var process = Process.Start(start)!;
            try
            {
                var (output, errors) = (process.StandardOutput.ReadToEndAsync(deadline.Token), process.StandardError.ReadToEndAsync(deadline.Token));
                await process.WaitForExitAsync(deadline.Token);
                return (process.ExitCode, await output + await errors);
            }
            finally
            {
                // This also ends its children.
                if (!process.HasExited) process.Kill(entireProcessTree: true);
            }
        }
        finally
        {
            File.Delete(file);
        }
    }
}
