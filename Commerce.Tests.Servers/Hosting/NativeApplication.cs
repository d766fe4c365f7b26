using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Commerce.Hosting.Native;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;

namespace Commerce.Tests.Servers.Hosting;

/// <summary>
/// A small application whose containers run as processes. It has real servers, and test containers whose recipe runs a shell script.
/// It is started once per test class.
/// </summary>
public sealed class NativeApplication : IAsyncLifetime
{
    readonly TcpListener _portTaker = new(IPAddress.Loopback, 0);
    readonly DirectoryInfo _data = Directory.CreateTempSubdirectory("commerce-native-");
    DistributedApplication? _app;
    Task _starting = Task.CompletedTask;

    public DistributedApplication App => _app!;

    public ResourceNotificationService States => App.ResourceNotifications;

    public int TakenPort => ((IPEndPoint)_portTaker.LocalEndpoint).Port;

    /// <summary>The folder of the data volumes.</summary>
    public string Data => _data.FullName;

    /// <summary>The time limit of every wait.</summary>
    public static CancellationToken Deadline => new CancellationTokenSource(TimeSpan.FromMinutes(2)).Token;

    public static IDistributedApplicationTestingBuilder CreateBuilder(string data) => DistributedApplicationTestingBuilder.Create(
        ["--DcpPublisher:RandomizePorts=false", "--NativeServers=true", $"--NativeServers:Data={data}"],
        (options, _) => options.AssemblyName = "Commerce.AppHost");

    public async ValueTask InitializeAsync()
    {
        _portTaker.Start();
        var builder = CreateBuilder(Data);
        builder.UseNativeServersWithoutContainers(recipes =>
        {
            recipes.Add(new ScriptRecipe("script", "exec sleep 1000"));
            recipes.Add(new ScriptRecipe("sick", "exec sleep 1000", HealthCheckResult.Unhealthy("sick on purpose")));
            recipes.Add(new ScriptRecipe("dies", "echo sa''id; echo compl''ained >&2; exit 3"));
            recipes.Add(new ScriptRecipe("missing", null));
        });
        builder.Services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.None));

        var redis = builder.AddRedis("redis").WithDataVolume("kept");
        var mysql = builder.AddMySql("mysql");
        var database = mysql.AddDatabase("ledger-db", "ledger");
        var kafka = builder.AddKafka("kafka");
        builder.AddRedis("wants-taken-port", port: TakenPort);

        builder.AddContainer("dies", "dies").WithEndpoint(name: "tcp");
        Shell("after-missing").WaitFor(builder.AddContainer("missing", "missing").WithEndpoint(name: "tcp"));
        Shell("after-sick").WaitFor(builder.AddContainer("sick", "sick").WithEndpoint(name: "tcp").WithHealthCheck("sick-check"));
        builder.Services.AddHealthChecks().AddCheck("sick-check", () => HealthCheckResult.Healthy());

        Shell("after-calm").WaitFor(builder.AddRedis("calm"));
        Shell("consumer").WithReference(redis).WithReference(database).WithReference(kafka);

        _app = await builder.WithQuickHealthChecks().BuildAsync();
        // The task is not awaited. It completes when everything has started, but the resource that waits for the unhealthy one never
        // starts.
        _starting = _app.StartAsync();

        IResourceBuilder<ExecutableResource> Shell(string name) => builder.AddExecutable(name, "sleep", ".", "1000");
    }

    public async ValueTask DisposeAsync()
    {
        await App.StopAsync();
        await ((Task)Task.WhenAny(_starting)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await App.DisposeAsync();
        _portTaker.Dispose();
        _data.Delete(recursive: true);
    }

    public Task<ResourceEvent> SeenAsync(string resource, Func<CustomResourceSnapshot, bool> predicate) =>
        States.WaitForResourceAsync(resource, e => predicate(e.Snapshot), Deadline);

    public Task<string> ReachedAsync(string resource, params string[] states) => States.WaitForResourceAsync(resource, states, Deadline);

    public Task HealthyAsync(string resource) => States.WaitForResourceHealthyAsync(resource, Deadline);

    /// <summary>Returns the id of the running process after it differs from <paramref name="before"/>.</summary>
    public async Task<int> PidAsync(string resource, int before = 0) =>
        Pid((await SeenAsync(resource, s => s.State?.Text == KnownResourceStates.Running && Pid(s) is var pid && pid != 0 && pid != before)).Snapshot);

    /// <summary>Returns the connection string of a server that may not have started yet.</summary>
    public async Task<string?> ConnectionStringAsync(string resource) => await App.Services.GetRequiredService<DistributedApplicationModel>()
        .Resources.OfType<IResourceWithConnectionString>().Single(r => r.Name == resource).GetConnectionStringAsync(Deadline);

    public async Task CommandAsync(string resource, string command)
    {
        var result = await App.ResourceCommands.ExecuteCommandAsync(resource, command, Deadline);
        Assert.True(result.Success, result.Message);
    }

    /// <summary>Returns the first line of console output that contains the text.</summary>
    public async Task<LogLine> SaidAsync(string resource, string text)
    {
        var id = (await SeenAsync(resource, _ => true)).ResourceId;
        await foreach (var lines in App.Services.GetRequiredService<ResourceLoggerService>().WatchAsync(id).WithCancellation(Deadline))
            foreach (var line in lines)
                if (line.Content.Contains(text, StringComparison.Ordinal)) return line;
        throw new InvalidOperationException($"'{resource}' has ended without saying '{text}'.");
    }

    static int Pid(CustomResourceSnapshot snapshot) =>
        Convert.ToInt32(snapshot.Properties.FirstOrDefault(p => p.Name == "executable.pid")?.Value, CultureInfo.InvariantCulture);

    /// <summary>
    /// Runs a container of the image <paramref name="image"/> as a shell script. Without a script it counts as not installed.
    /// </summary>
    sealed class ScriptRecipe(string image, string? script, HealthCheckResult? health = null) : NativeServerRecipe
    {
        public override string Name => image;

        public override string HowToInstall => "Write one.";

        public override bool Fits(ContainerResource container) => container.Name == image;

        public override string? FindProgram() => script is null ? null : "/bin/sh";

        public override Task<IEnumerable<string>> PrepareAsync(NativeServerStart start, CancellationToken cancellationToken) =>
            Task.FromResult<IEnumerable<string>>(["-c", script!]);

        public override IHealthCheck HealthCheckOf(ContainerResource container) => new Said(health ?? HealthCheckResult.Healthy());

        sealed class Said(HealthCheckResult result) : IHealthCheck
        {
            public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) => Task.FromResult(result);
        }
    }
}
