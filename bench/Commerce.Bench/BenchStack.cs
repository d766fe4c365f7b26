using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Commerce.Core;
using Commerce.Core.Coupons;
using Commerce.Hosting.Native;
using Confluent.Kafka;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Commerce.Bench;

/// <summary>
/// The whole stack from its AppHost, in Release, without proxies and telemetry. The processes for the ceilings run next to it.
/// </summary>
sealed partial class BenchStack : IAsyncDisposable
{
    const int SigInt = 2, SigKill = 9, SigUsr1 = 10, SigUsr2 = 12, SigTerm = 15;

    /// <summary>The topic of the benchmarks. The application does not consume it.</summary>
    public const string Topic = "BENCH";

    static readonly string SigningKey = Convert.ToBase64String(RandomNumberGenerator.GetBytes(48));

    static PosixSignalRegistration[] s_signals = [];
    static BenchStack? s_running;

    readonly DistributedApplication _app;
    readonly IHost _host;
    readonly ConcurrentBag<Process> _started;
    readonly Lazy<Task> _end;

    BenchStack(DistributedApplication app, IHost host, Process ceilings, Uri ceilingUrl)
    {
        (_app, _host, _started, CeilingUrl) = (app, host, [ceilings], ceilingUrl);
        _end = new(EndAsync);
        ApiUrl = app.GetEndpoint("api", "http");
        Kafka = host.Services.GetRequiredService<IConfiguration>().GetConnectionString("kafka")!;
        SandboxUrl = app.GetEndpoint("payment-sandbox", "http");
        Admin = new HttpClient { BaseAddress = ApiUrl };
        Admin.DefaultRequestHeaders.Authorization = new("Bearer", Token("bench", "ADMIN"));
    }

    /// <summary>Whether the process was asked to end. Later failures are then expected.</summary>
    public static bool Interrupted { get; private set; }

    public Uri ApiUrl { get; }

    public Uri CeilingUrl { get; }

    public Uri SandboxUrl { get; }

    public string Kafka { get; }

    public HttpClient Admin { get; }

    public IServiceProvider Services => _host.Services;

    /// <param name="durability">Where an acceptance is stored before the user gets the response.</param>
    public static async Task<BenchStack> StartAsync(Durability durability = Durability.Broker)
    {
        s_signals = [.. new[] { PosixSignal.SIGINT, PosixSignal.SIGTERM }.Select(signal => PosixSignalRegistration.Create(signal, Interrupt))];
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.Commerce_AppHost>(
            ["--NativeServers=true", "--Data:Keep=false", $"--Parameters:development-signing-key={SigningKey}"]);
        builder.Services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Warning).AddFilter("Commerce.AppHost.Resources", LogLevel.None));
        foreach (var project in builder.Resources.OfType<ProjectResource>())
            builder.CreateResourceBuilder(project)
                .WithEnvironment("OTEL_EXPORTER_OTLP_ENDPOINT", "")
                .WithEnvironment("Limits__UserPerSecond", "10000")
                .WithEnvironment("Coupons__Durability", durability.ToString())
                .WithEndpoint("http", http => http.IsProxied = false, createIfNotExists: false);
        var app = await builder.BuildAsync();
        await app.StartAsync();
        foreach (var name in new[] { "api", "workers", "payment-sandbox" }) await app.ResourceNotifications.WaitForResourceHealthyAsync(name);

        var url = new Uri($"http://127.0.0.1:{FreePorts.Take()}");
        var start = new ProcessStartInfo(Environment.ProcessPath!, ["serve", url.ToString()]) { RedirectStandardOutput = true };
        var hosting = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { EnvironmentName = Environments.Development });
        hosting.Logging.SetMinimumLevel(LogLevel.Warning);
        foreach (var name in new[] { "commerce", "redis", "kafka" })
            start.Environment[$"ConnectionStrings__{name}"] = hosting.Configuration[$"ConnectionStrings:{name}"] = await app.GetConnectionStringAsync(name);
        // No payment is made, but Core requires a gateway.
        foreach (var (name, value) in new[]
        {
            ("BaseAddress", "http://payment-sandbox"), ("PayWindowUrl", "http://payment-sandbox/pay"), ("ClientId", "bench"), ("ClientSecret", "bench"),
            ("ChainId", "bench"),
        })
        {
            start.Environment[$"Payments__Gateway__{name}"] = hosting.Configuration[$"Payments:Gateway:{name}"] = value;
        }
        start.Environment["ASPNETCORE_ENVIRONMENT"] = "Development";
        start.Environment["Logging__LogLevel__Default"] = "Warning";
        start.Environment["Authentication__Schemes__Bearer__SigningKeys__0__Value"] = SigningKey;
        var ceilings = Process.Start(start)!;
        ceilings.OutputDataReceived += (_, _) => { };
        ceilings.BeginOutputReadLine();

        hosting.AddServiceDefaults();
        hosting.AddCommerceCore(commandTimeout: TimeSpan.FromSeconds(60));
        var host = hosting.Build();
        await host.StartAsync();
        await AnswersAsync(new Uri(url, "/alive"));
        await CreateTopicAsync(hosting.Configuration.GetConnectionString("kafka")!);
        return s_running = new BenchStack(app, host, ceilings, url);
    }

    /// <summary>
    /// Creates the topic of the benchmarks. The mock broker cannot create topics, but the first message creates this one.
    /// </summary>
    static async Task CreateTopicAsync(string kafka)
    {
        using var producer = new ProducerBuilder<Null, byte[]>(new ProducerConfig { BootstrapServers = kafka }).Build();
        using var admin = new DependentAdminClientBuilder(producer.Handle).Build();
        try
        {
            await admin.CreateTopicsAsync([new() { Name = Topic, NumPartitions = 4, ReplicationFactor = 1 }]);
        }
        catch (KafkaException e) when (e.Error.Code == ErrorCode.Local_UnsupportedFeature)
        {
            await producer.ProduceAsync(Topic, new Message<Null, byte[]>());
        }
    }

    /// <summary>
    /// Ends the running resources, and then this process. A measurement cannot be interrupted cleanly. The orchestrator ends resources
    /// that were just starting.
    /// </summary>
    static void Interrupt(PosixSignalContext context)
    {
        context.Cancel = true;
        Interrupted = true;
        _ = Task.Run(async () =>
        {
            try
            {
                if (s_running is { } stack) await stack._end.Value;
            }
            finally
            {
                Environment.Exit(128 + (context.Signal == PosixSignal.SIGINT ? SigInt : SigTerm));
            }
        });
    }

    static async Task AnswersAsync(Uri url)
    {
        using var http = new HttpClient();
        while (true)
        {
            try
            {
                if ((await http.GetAsync(url)).IsSuccessStatusCode) return;
            }
            catch (HttpRequestException)
            {
                await Task.Delay(100);
            }
        }
    }

    public static string Token(string user, string role = "MEMBER") => new JsonWebTokenHandler { SetDefaultTimesOnTokenCreation = false }.CreateToken(new SecurityTokenDescriptor
    {
        Issuer = DevelopmentTokens.Issuer,
        Audience = DevelopmentTokens.Audience,
        Expires = TimeProvider.System.GetUtcNow().AddHours(2).UtcDateTime,
        Claims = new Dictionary<string, object> { ["sub"] = user, ["role"] = role },
        SigningCredentials = new(new SymmetricSecurityKey(Convert.FromBase64String(SigningKey)), SecurityAlgorithms.HmacSha256),
    });

    /// <summary>Creates a coupon and opens its gate, so that the opening is not measured.</summary>
    public async Task<Coupon> CouponAsync(int total)
    {
        var now = TimeProvider.System.GetUtcNow();
        using var answer = await Admin.PostAsJsonAsync("/api/admin/coupons",
            new CouponDefinition("bench", 1000, total, now.AddHours(-1), now.AddHours(2)));
        var coupon = (await answer.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<Coupon>())!;
        await Services.GetRequiredService<CouponGateInitializer>().TryOpenFirstAsync(coupon.Id, CancellationToken.None);
        return coupon;
    }

    /// <summary>Returns the configuration of a running resource.</summary>
    public async Task<IReadOnlyList<(string Name, string Value)>> EnvironmentAsync(string resource) =>
        [.. (await File.ReadAllTextAsync($"/proc/{await PidAsync(resource)}/environ")).Split('\0', StringSplitOptions.RemoveEmptyEntries)
            .Select(v => v.Split('=', 2)).Select(v => (v[0], v[1]))];

    /// <summary>Starts Workers with their own settings instead of the stack's Workers, which must be stopped.</summary>
    public async Task<Process> StartWorkersAsync(params IEnumerable<(string Name, string Value)> settings)
    {
        var url = new Uri($"http://127.0.0.1:{FreePorts.Take()}");
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory.Replace("Commerce.Bench", "Commerce.Workers", StringComparison.Ordinal), "Commerce.Workers"),
            ["--urls", url.ToString()]) { RedirectStandardOutput = true };
        foreach (var (name, value) in settings) start.Environment[name] = value;
        start.Environment["Logging__LogLevel__Default"] = "Warning";
        var workers = Process.Start(start)!;
        _started.Add(workers);
        workers.OutputDataReceived += (_, _) => { };
        workers.BeginOutputReadLine();
        await AnswersAsync(new Uri(url, "/alive"));
        return workers;
    }

    public async Task CommandAsync(string resource, string command)
    {
        var result = await _app.ResourceCommands.ExecuteCommandAsync(resource, command);
        if (!result.Success) throw new InvalidOperationException($"{command} {resource}: {result.Message}");
        if (command == KnownResourceCommands.StartCommand) await _app.ResourceNotifications.WaitForResourceHealthyAsync(resource);
        else await EndedAsync(resource);
    }

    public Task EndedAsync(string resource) =>
        _app.ResourceNotifications.WaitForResourceAsync(resource, e => KnownResourceStates.TerminalStates.Contains(e.Snapshot.State?.Text));

    public async Task<int> PidAsync(string resource)
    {
        var running = await _app.ResourceNotifications.WaitForResourceAsync(resource, e => e.Snapshot.Properties.Any(p => p is { Name: "executable.pid", Value: not null }));
        return Convert.ToInt32(running.Snapshot.Properties.Single(p => p.Name == "executable.pid").Value, CultureInfo.InvariantCulture);
    }

    /// <summary>Kills the process of a resource, as a power failure would.</summary>
    public async Task KillAsync(string resource)
    {
        await SignalAsync(resource, SigKill);
        await EndedAsync(resource);
    }

    /// <summary>Kills the broker and keeps its log. The mock broker has its log in memory, so it only closes its connections.</summary>
    public async Task BrokerAwayAsync()
    {
        if (await HasMockBrokerAsync()) await SignalAsync("kafka", SigUsr1);
        else await KillAsync("kafka");
    }

    /// <summary>Starts the broker again with its log.</summary>
    public async Task BrokerBackAsync()
    {
        if (await HasMockBrokerAsync()) await SignalAsync("kafka", SigUsr2);
        else await CommandAsync("kafka", KnownResourceCommands.StartCommand);
    }

    async Task<bool> HasMockBrokerAsync()
    {
        var seen = await _app.ResourceNotifications.WaitForResourceAsync("kafka", _ => true);
        return $"{seen.Snapshot.Properties.Single(p => p.Name == "executable.path").Value}".EndsWith("MockKafkaBroker", StringComparison.Ordinal);
    }

    async Task SignalAsync(string resource, int signal)
    {
        if (Kill(await PidAsync(resource), signal) != 0) throw new InvalidOperationException($"{resource} cannot be signalled.");
    }

    /// <summary>Returns the maximum resident memory of the process so far, in MB.</summary>
    public Task<double> PeakMemoryAsync(string resource) => StatusAsync(resource, "VmHWM:");

    /// <summary>Returns the resident memory of the process, in MB.</summary>
    public Task<double> MemoryAsync(string resource) => StatusAsync(resource, "VmRSS:");

    /// <summary>Returns the processor time of the process so far.</summary>
    public async Task<TimeSpan> ProcessorTimeAsync(string resource)
    {
        using var process = Process.GetProcessById(await PidAsync(resource));
        return process.TotalProcessorTime;
    }

    async Task<double> StatusAsync(string resource, string name)
    {
        var line = (await File.ReadAllLinesAsync($"/proc/{await PidAsync(resource)}/status")).Single(l => l.StartsWith(name, StringComparison.Ordinal));
        return double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) / 1024;
    }

    public ValueTask DisposeAsync() => new(_end.Value);

    async Task EndAsync()
    {
        Admin.Dispose();
        foreach (var process in _started)
        {
            process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
        }

        await _host.StopAsync();
        _host.Dispose();
        await _app.DisposeAsync();
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int pid, int signal);
}
