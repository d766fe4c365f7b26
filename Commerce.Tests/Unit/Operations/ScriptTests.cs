using System.Diagnostics;

namespace Commerce.Tests.Unit.Operations;

/// <summary>Arguments that mean nothing are refused and named. Otherwise a typing mistake would silently do something else.</summary>
public sealed class ScriptTests
{
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
}
