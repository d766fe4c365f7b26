using System.Net;
using System.Net.Sockets;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;

namespace Commerce.Tests.Hosting;

/// <summary>A few shell commands that run, end, fail and wait for each other; started once for all tests of a class.</summary>
public sealed class SmallApplication : IAsyncLifetime
{
    readonly TcpListener _portTaker = new(IPAddress.Loopback, 0);
    DistributedApplication? _app;
    Task _starting = Task.CompletedTask;

    public DistributedApplication App => _app!;

    public ResourceNotificationService States => App.ResourceNotifications;

    public int TakenPort => ((IPEndPoint)_portTaker.LocalEndpoint).Port;

    /// <summary>Ends a wait that would be for ever.</summary>
    public static CancellationToken Deadline => new CancellationTokenSource(TimeSpan.FromMinutes(2)).Token;

    public async ValueTask InitializeAsync()
    {
        _portTaker.Start();
        var builder = DistributedApplicationTestingBuilder.Create(["--DcpPublisher:RandomizePorts=false"], (options, _) => options.AssemblyName = "Commerce.AppHost");
        builder.Services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.None));
        builder.Services.AddHealthChecks().AddCheck("on-purpose", () => HealthCheckResult.Unhealthy("sick on purpose"));

        var dies = Shell("dies", "echo said; echo complained >&2; exit 3");
        Shell("after-failure", "sleep 1000").WaitForCompletion(dies);
        Shell("after-three", "sleep 1000").WaitForCompletion(dies, exitCode: 3);

        var missing = builder.AddExecutable("missing", "/nowhere/at-all", ".");
        Shell("after-missing", "sleep 1000").WaitFor(missing);

        var sick = Shell("sick", "exec sleep 1000").WithHealthCheck("on-purpose");
        Shell("after-sick", "sleep 1000").WaitFor(sick);

        var first = Shell("first", "exec sleep 1000");
        Shell("second", "sleep 1000").WaitFor(first);

        Shell("on-demand", "sleep 1000").WithExplicitStart();
        Shell("restartable", "exec sleep 1000").WithCommand("greet", "Greet", context => Task.FromResult(CommandResults.Success($"hello {context.ResourceName}")));
        Shell("killed", "exec sleep 1000");
        Shell("wants-taken-port", "sleep 1000").WithHttpEndpoint(port: TakenPort);

        var server = Shell("web-server", "sleep 1000").WithHttpEndpoint(env: "PORT").WithHttpEndpoint(targetPort: 19999, name: "admin");
        var secret = builder.AddParameter("secret-word", "open sesame", secret: true);
        var ledger = builder.AddConnectionString("ledger", ReferenceExpression.Create($"Server=somewhere;Password={secret}"));
        Shell("consumer", "sleep 1000")
            .WithReference(server.GetEndpoint("http")).WithReference(ledger)
            .WithEnvironment("WORD", secret).WithEnvironment("TEXT", "plain").WithEnvironment("URL", $"{server.GetEndpoint("http")}/path")
            .WithEnvironment(context => context.EnvironmentVariables["COMPUTED"] = context.Resource.Name);

        _app = await builder.BuildAsync();
        // Not awaited: it ends when everything was started, and what waits for the sick one never is.
        _starting = _app.StartAsync();

        IResourceBuilder<ExecutableResource> Shell(string name, string script) => builder.AddExecutable(name, "sh", ".", "-c", script);
    }

    public async ValueTask DisposeAsync()
    {
        await App.StopAsync();
        await ((Task)Task.WhenAny(_starting)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await App.DisposeAsync();
        _portTaker.Dispose();
    }

    public Task<ResourceEvent> SeenAsync(string resource, Func<CustomResourceSnapshot, bool> predicate) =>
        States.WaitForResourceAsync(resource, e => predicate(e.Snapshot), Deadline);

    public Task<string> ReachedAsync(string resource, params string[] states) => States.WaitForResourceAsync(resource, states, Deadline);

    /// <summary>A line of the console output that holds the text, once there is one.</summary>
    public async Task<LogLine> SaidAsync(string resource, string text)
    {
        var id = (await SeenAsync(resource, _ => true)).ResourceId;
        await foreach (var lines in App.Services.GetRequiredService<ResourceLoggerService>().WatchAsync(id).WithCancellation(Deadline))
            foreach (var line in lines)
                if (line.Content.Contains(text, StringComparison.Ordinal)) return line;
        throw new InvalidOperationException($"'{resource}' has ended without saying '{text}'.");
    }
}
