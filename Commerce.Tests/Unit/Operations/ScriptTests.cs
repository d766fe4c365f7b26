using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;

namespace Commerce.Tests.Unit.Operations;

/// <summary>What <c>./commerce</c> refuses, and what it tells.</summary>
public sealed partial class ScriptTests
{
    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    /// <summary>The payment sandbox has <c>/health</c>, too. It once answered in place of an Api that had not started.</summary>
    [Theory]
    [InlineData("/health /openapi/v1.json", 0)]
    [InlineData("/health", 1)]
    [InlineData("/openapi/v1.json", 1)]
    public async Task Only_the_Api_counts_as_healthy(string paths, int expected)
    {
        using var server = new TcpListener(IPAddress.Loopback, 0);
        server.Start();
        var serving = ServeAsync(server, path => paths.Split(' ').Contains(path));

        var (exitCode, _) = await RunAsync("get healthy", $"healthy {((IPEndPoint)server.LocalEndpoint).Port}", "");

        Assert.Equal(expected, exitCode);
        server.Stop();
        await serving;
    }

    [Fact]
    public async Task A_test_run_tells_each_class_with_its_counts()
    {
        // The assemblies run in parallel, so their lines are mixed.
        var (_, output) = await RunAsync("show_tests", "unset SECONDS; SECONDS=7; show_tests", """
            Running tests
            passed Commerce.Tests.Integration.Orders.OrderTests.One (1s)
              from Commerce.Tests.dll
              output of a test that passed
            passed Commerce.Tests.Faults.Orders.StockFaultTests.One (1s)
            failed Commerce.Tests.Integration.Orders.OrderTests.Two(a: "1.5") (1s)
              from Commerce.Tests.dll
              Assert.Equal() Failure
            passed Commerce.Tests.Unit.Orders.LineAmountsTests.One (0s)
            passed Commerce.Tests.Servers.Redis.FailoverTests.One (1s)
            passed Commerce.Tests.Unit.Messaging.BatchRetryTests.One (0s)
            skipped Commerce.Tests.Integration.Orders.OrderTests.Three (0s)
            passed Commerce.Tests.Integration.Payments.PaymentTests.One (1s)
            passed Commerce.Tests.Faults.Orders.StockFaultTests.Two (1s)
            Test run summary: Failed!
              total: 9

            """);

        // A class of the stack is told when the next one begins, the last class of each assembly at the end.
        Assert.Equal(
            [
                "Running tests",
                "failed Commerce.Tests.Integration.Orders.OrderTests.Two(a: \"1.5\") (1s)", "from Commerce.Tests.dll", "Assert.Equal() Failure",
                "7 s, 7 OrderTests 1 passed, 1 failed, 1 skipped 0 s",
                "7 s, 9 unit tests 2 passed 0 s", "7 s, 9 FailoverTests 1 passed 0 s", "7 s, 9 StockFaultTests 2 passed 0 s", "7 s, 9 PaymentTests 1 passed 0 s",
                "Test run summary: Failed!", "total: 9",
            ],
            output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(line => Spaces().Replace(line, " ")));
    }

    /// <summary>A build that is left out must never hide a change.</summary>
    [Theory]
    [InlineData(":", 0)]
    [InlineData("touch -d '+1 min' folder/Source.cs", 1)]
    [InlineData("rm folder/Removed.cs; touch -d '+1 min' folder", 1)]
    [InlineData("touch -d '+1 min' artifacts/bin/Program/debug", 1)]
    [InlineData("rm -r artifacts/bin", 1)]
    [InlineData("touch -d '+1 min' .data/choice.props", 1)]
    [InlineData("rm -r packages", 1)]
    [InlineData("sdk() { echo 11; }", 1)]
    [InlineData(": >artifacts/built", 1)]
    [InlineData("touch -d '+1 min' .data/log", 0)]
    [InlineData("touch -d '+1 min' artifacts/bin/Program/release", 0)]
    public async Task Only_what_has_not_changed_counts_as_built(string change, int expected)
    {
        var folder = Directory.CreateTempSubdirectory("commerce-built-").FullName;
        try
        {
            var (exitCode, _) = await RunAsync("build_state built", $$"""
                set -e; cd '{{folder}}'
                INTEGRATIONS=.data/choice.props NUGET_PACKAGES=$PWD/packages
                sdk() { echo 10; }
                mkdir -p folder packages .data artifacts/bin/Program/debug artifacts/bin/Program/release
                touch folder/Source.cs folder/Removed.cs .data/choice.props .data/log
                build_state debug >artifacts/built
                {{change}}
                built artifacts/built debug
                """, "");

            Assert.Equal(expected, exitCode);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Theory]
    [InlineData("'--prot'", "up", "--prot", "8090")]
    [InlineData("'8090'", "up", "8090")]
    [InlineData("need a number", "up", "--port")]
    [InlineData("'0'", "up", "--port=0")]
    [InlineData("'many'", "up", "--topology", "many")]
    [InlineData("'--sed'", "chaos", "--sed", "1")]
    [InlineData("unknown command: upp", "upp")]
    public Task The_script_refuses_what_it_does_not_know(string reason, params string[] arguments) =>
        ShouldBeRefusedAsync(reason, "bash", [Path.Combine(Repository.Root, "commerce"), .. arguments]);

    [Theory]
    [InlineData("audit", "nonsense")]
    [InlineData("audit", "ftp://localhost/")]
    [InlineData("audit", "--within", "soon")]
    [InlineData("audit", "--withn", "5")]
    [InlineData("audit", "http://localhost:1/", "http://localhost:2/")]
    public Task The_audit_refuses_what_it_does_not_know(params string[] arguments) =>
        ShouldBeRefusedAsync("usage: audit [URL] [--within SECONDS]", Repository.Program("Commerce.Workers"), arguments);

    /// <summary>Answers 200 or 404 until the listener stops.</summary>
    static async Task ServeAsync(TcpListener server, Predicate<string> has)
    {
        try
        {
            while (true)
            {
                using var client = await server.AcceptTcpClientAsync(Cancelled);
                using var reader = new StreamReader(client.GetStream());
                var path = (await reader.ReadLineAsync(Cancelled))!.Split(' ')[1];
                await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.0 {(has(path) ? "200 OK" : "404 Not Found")}\r\n\r\n"), Cancelled);
            }
        }
        catch (SocketException)
        {
            // The listener has stopped.
        }
    }

    /// <summary>Runs functions of the script alone.</summary>
    static async Task<(int ExitCode, string Output)> RunAsync(string functions, string command, string input)
    {
        var definitions = string.Concat(functions.Split(' ').Select(f => $"/^{f}() {{$/,/^}}/p; /^{f}() {{ .*}}$/p; "));
        using var process = Process.Start(new ProcessStartInfo("bash", ["-c", $"eval \"$(sed -n '{definitions}' commerce)\"; {command}"])
        {
            WorkingDirectory = Repository.Root, RedirectStandardInput = true, RedirectStandardOutput = true,
        })!;
        var output = process.StandardOutput.ReadToEndAsync(Cancelled);
        await process.StandardInput.WriteAsync(input);
        process.StandardInput.Close();
        await process.WaitForExitAsync(Cancelled).WaitAsync(TimeSpan.FromSeconds(30), Cancelled);
        return (process.ExitCode, await output);
    }

    static async Task ShouldBeRefusedAsync(string reason, string program, IEnumerable<string> arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        try
        {
            var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            await process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
            Assert.Contains(reason, await errors, StringComparison.Ordinal);
            Assert.Equal(2, process.ExitCode);
        }
        finally
        {
            process.Kill(entireProcessTree: true);
        }
    }

    [GeneratedRegex(" +")]
    private static partial Regex Spaces();
}
