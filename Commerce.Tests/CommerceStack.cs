using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Commerce.Core;
using Commerce.Core.Consistency;
using Commerce.Core.Coupons;
using Commerce.Core.Database;
using Commerce.Core.Payments;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Commerce.Tests;

/// <summary>
/// The whole application, started once from its AppHost for the first test. It consists of MySQL, Redis, Kafka, payment sandbox, Api
/// and Workers, on free ports and without data.
/// </summary>
public sealed class CommerceStack : IAsyncDisposable
{
    static readonly TimeSpan StartDeadline = TimeSpan.FromMinutes(3);

    static readonly TimeSpan StopDeadline = TimeSpan.FromMinutes(1);

    /// <summary>
    /// The concurrency limit of the Api in this stack. A test can reach it, but it is above the concurrency of <see cref="Shoppers"/>.
    /// </summary>
    public const int MaxConcurrentIssues = 200;

    readonly SemaphoreSlim _starting = new(1, 1);
    readonly DirectoryInfo _crashPoints = Directory.CreateTempSubdirectory("commerce-crash-points-");
    DistributedApplication? _app;
    IHost? _host;
    Exception? _failure;

    /// <summary>More arguments for the AppHost.</summary>
    public IReadOnlyList<string> Arguments { get; init; } = [];

    /// <summary>Settings of Api and Workers for a test, which override those of the stack.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();

    /// <summary>The connection string to MySQL of each project that has its own user.</summary>
    public IReadOnlyDictionary<string, string> Databases { get; init; } = new Dictionary<string, string>();

    /// <summary>The running application model.</summary>
    public DistributedApplication App => _app ?? throw new InvalidOperationException("Not started.");

    /// <summary>Core's services (database, gate, producer …) on the stack's connections.</summary>
    public IServiceProvider Services => _host!.Services;

    /// <summary>Calls the Api without a token; repeats after 503.</summary>
    public HttpClient Anonymous { get; private set; } = null!;

    /// <summary>Calls the Api without a token and without repetitions.</summary>
    public HttpClient Impatient { get; private set; } = null!;

    /// <summary>Calls the Api as an administrator.</summary>
    public HttpClient Admin { get; private set; } = null!;

    /// <summary>The bootstrap servers.</summary>
    public string Kafka { get; private set; } = "";

    /// <summary>The payment sandbox: payment window, faults and ledger.</summary>
    public Sandbox Sandbox { get; private set; } = null!;

    /// <summary>Starts the stack unless it is running.</summary>
    public async Task StartAsync()
    {
        await _starting.WaitAsync();
        try
        {
            if (_host is not null) return;
            // Otherwise each test would wait for the same time and start another stack.
            if (_failure is not null) throw new InvalidOperationException("The stack did not start; the first test tells why.", _failure);
            try
            {
                await StartOnceAsync();
            }
            catch (Exception e) when (_app is not null)
            {
                // The cause is usually the machine. The failure is counted and reported with all details.
                Repetitions.Add(new TimeoutException(await StateOfResourcesAsync(_app), e));
                await _app.DisposeAsync().AsTask().WaitAsync(StopDeadline);
                await StartOnceAsync();
            }
        }
        catch (Exception e) when (_failure is null)
        {
            _failure = _app is null ? e : new InvalidOperationException(await StateOfResourcesAsync(_app), e);
            throw _failure;
        }
        finally
        {
            _starting.Release();
        }
    }

    async Task StartOnceAsync()
    {
        using var deadline = new CancellationTokenSource(StartDeadline);
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.Commerce_AppHost>(["--NativeServers=true", "--Data:Keep=false", $"--Parameters:payment-client-secret={Sandbox.ClientSecret}", .. Arguments], deadline.Token);
        foreach (var project in builder.Resources.OfType<ProjectResource>().Select(builder.CreateResourceBuilder))
        {
            project
                .WithEnvironment("DOTNET_STARTUP_HOOKS", typeof(StartupHook).Assembly.Location)
                .WithEnvironment(StartupHook.Folder, _crashPoints.FullName)
                .WithEnvironment("Limits__MaxConcurrentIssues", MaxConcurrentIssues.ToString(CultureInfo.InvariantCulture))
                // With one broker, the default stores every acceptance in MySQL first, and the path through Kafka would not be tested.
                .WithEnvironment("Coupons__Durability", nameof(Durability.Broker))
                // Poller and listener open and close events in time. The recovery runs when the Workers start, and then once an hour.
                .WithEnvironment("Events__RecoveryInterval", "01:00:00")
                // The waits for the gateway are shorter than in production.
                .WithEnvironment("Payments__SettleAfter", "00:00:06")
                .WithEnvironment("Payments__RefundRetryDelay", "00:00:01")
                .WithEnvironment("Payments__Gateway__ApproveTimeout", "00:00:03")
                .WithEnvironment("Payments__Gateway__CancelTimeout", "00:00:03");
            foreach (var (name, value) in Settings) project.WithEnvironment(name, value);
            if (Databases.TryGetValue(project.Resource.Name, out var database)) project.WithEnvironment("ConnectionStrings__commerce", database);
        }

        // The timeout is short, so that in a test a frozen MySQL times out more often than a faulty message is tried.
        builder.CreateResourceBuilder<ProjectResource>("workers").WithEnvironment("Database__CommandTimeout", "00:00:04");
        builder.Services.AddLogging(logging => logging.SetMinimumLevel(LogLevel.Warning).AddFilter("Commerce.AppHost.Resources", LogLevel.None).AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None));
        _app = await builder.WithQuickHealthChecks().BuildAsync(deadline.Token);
        await _app.StartAsync(deadline.Token);
        await HealthyAsync("api", deadline.Token);
        await HealthyAsync("workers", deadline.Token);
        Kafka = (await _app.GetConnectionStringAsync("kafka", deadline.Token))!;
        await HealthyAsync("payment-sandbox", deadline.Token);
        _host = await ConnectAsync();
        Impatient = _app.CreateHttpClient("api", "http");
        Anonymous = PatientClient();
        Sandbox = new Sandbox(_app.CreateHttpClient("payment-sandbox", "http"));
        Admin = await UserAsync("admin", "ADMIN");
    }

    /// <summary>
    /// Describes what keeps the stack from starting: the state of each resource, the results of its health checks, and its last log
    /// lines.
    /// </summary>
    static async Task<string> StateOfResourcesAsync(DistributedApplication app)
    {
        const int Lines = 12;
        var seen = new Dictionary<string, ResourceEvent>();
        // The watch starts with the known states, and never ends on its own.
        using var enough = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        try
        {
            await foreach (var change in app.ResourceNotifications.WatchAsync(enough.Token)) seen[change.ResourceId] = change;
        }
        catch (OperationCanceledException)
        {
            // All known states were read.
        }

        var text = new StringBuilder("The stack did not start.").AppendLine();
        var logs = app.Services.GetRequiredService<ResourceLoggerService>();
        foreach (var (id, change) in seen)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"{id}: {change.Snapshot.State?.Text}, exit code {change.Snapshot.ExitCode}, {change.Snapshot.HealthStatus}");
            foreach (var report in change.Snapshot.HealthReports.Where(r => r.Status != HealthStatus.Healthy))
                text.AppendLine(CultureInfo.InvariantCulture, $"  {report.Name}: {report.Status} {report.Description} {report.ExceptionText}");
            var lines = new List<string>();
            await foreach (var batch in logs.GetAllAsync(id)) lines.AddRange(batch.Select(l => l.Content));
            foreach (var line in lines.TakeLast(Lines)) text.Append("  | ").AppendLine(line);
        }
        return text.ToString();
    }

    /// <summary>Kills the next process that reaches this point of <see cref="Checkpoints"/>.</summary>
    public void Arm(string checkpoint) => File.WriteAllText(Path.Combine(_crashPoints.FullName, checkpoint), "");

    /// <summary>
    /// Calls <see cref="Sandbox.WithFaultsAsync"/> after all payments and refunds of earlier tests are settled, because they would use up
    /// counted faults. History queries of abandoned payments may continue for a long time.
    /// </summary>
    public async Task<IAsyncDisposable> WithGatewayFaultsAsync(params SandboxFault[] faults)
    {
        var payments = Services.GetRequiredService<PaymentRepository>();
        await Eventually.EqualAsync(0, () => payments.CountWaitingAsync(TestContext.Current.CancellationToken));
        return await Sandbox.WithFaultsAsync(faults);
    }

    /// <summary>Waits until a resource is healthy.</summary>
    public Task HealthyAsync(string resource, CancellationToken cancellationToken) =>
        App.ResourceNotifications.WaitForResourceHealthyAsync(resource, cancellationToken);

    /// <summary>
    /// Creates a topic if it does not exist. The mock broker cannot create topics, but the first message creates this one.
    /// </summary>
    public Task CreateTopicAsync(string topic, Dictionary<string, string>? settings = null) => Eventually.DoneAsync(async () =>
    {
        using var producer = new ProducerBuilder<string?, byte[]?>(new ProducerConfig { BootstrapServers = Kafka }).Build();
        using var admin = new DependentAdminClientBuilder(producer.Handle).Build();
        try
        {
            await admin.CreateTopicsAsync([new TopicSpecification { Name = topic, NumPartitions = 4, Configs = settings }]);
        }
        catch (CreateTopicsException e) when (e.Results.All(r => r.Error.Code == ErrorCode.TopicAlreadyExists))
        {
            // Another test has created it.
        }
        catch (KafkaException e) when (e.Error.Code == ErrorCode.Local_UnsupportedFeature)
        {
            await producer.ProduceAsync(topic, new Message<string?, byte[]?>());
        }
        return topic;
    });

    /// <summary>Coupons that the current test created and that are not needed afterwards.</summary>
    public ConcurrentBag<long> CreatedCoupons { get; } = [];

    /// <inheritdoc cref="CreatedCoupons"/>
    public ConcurrentBag<long> CreatedEvents { get; } = [];

    /// <summary>
    /// Ends the created items, so that later rebuilds and audits only concern the gates of their own test. The coupons get an end
    /// yesterday, and the events are cancelled. If a test fails before it has removed its damage, only its own audit fails.
    /// </summary>
    public async Task EndCreatedAsync()
    {
        var (coupons, events) = (CreatedCoupons.ToList(), CreatedEvents.ToList());
        CreatedCoupons.Clear();
        CreatedEvents.Clear();
        var database = _host is null ? null : Services.GetRequiredService<MySqlDatabase>();
        if (database is not null && events.Count > 0)
            await Eventually.DoneAsync(() => database.ExecuteAsync(
                "UPDATE event SET status = 'CANCELLED', version = version + 1 WHERE id IN @events AND status IN ('DRAFT', 'PENDING', 'OPEN')", new { events }, CancellationToken.None));
        if (database is not null && coupons.Count > 0)
            await Eventually.DoneAsync(() => database.ExecuteAsync("""
                UPDATE coupon SET status = 'CANCELLED', starts_at = UTC_TIMESTAMP(6) - INTERVAL 3 DAY, ends_at = UTC_TIMESTAMP(6) - INTERVAL 2 DAY, version = version + 1
                WHERE id IN @coupons;
                DELETE FROM coupon_issue_failure WHERE coupon_id IN @coupons
                """, new { coupons }, CancellationToken.None));
    }

    /// <summary>Creates a client that calls the Api as this user and repeats after 503.</summary>
    public async Task<HttpClient> UserAsync(string user, string role = "MEMBER")
    {
        var client = PatientClient();
        using var answer = await client.PostAsJsonAsync("/api/auth/token", new { user, role });
        var token = await answer.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<Token>();
        client.DefaultRequestHeaders.Authorization = new("Bearer", token!.AccessToken);
        return client;
    }

    /// <summary>Creates a client that calls the Api as an administrator, without repetitions.</summary>
    public HttpClient ImpatientAdmin()
    {
        var client = App.CreateHttpClient("api", "http");
        client.DefaultRequestHeaders.Authorization = Admin.DefaultRequestHeaders.Authorization;
        return client;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Anonymous?.Dispose();
        Impatient?.Dispose();
        Admin?.Dispose();
        Sandbox?.Dispose();
        if (_host is not null) await _host.StopAsync();
        _host?.Dispose();
        if (_app is not null) await _app.DisposeAsync();
        _crashPoints.Delete(recursive: true);
        _starting.Dispose();
    }

    HttpClient PatientClient() => new(new PatientHandler()) { BaseAddress = App.GetEndpoint("api", "http") };

    async Task<IHost> ConnectAsync()
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        foreach (var name in new[] { "commerce", "redis", "kafka" })
            builder.Configuration[$"ConnectionStrings:{name}"] = await App.GetConnectionStringAsync(name);
        builder.Configuration.AddInMemoryCollection(Sandbox.Configuration(App.GetEndpoint("payment-sandbox", "http")));
        builder.AddServiceDefaults();
        builder.AddCommerceCore(commandTimeout: TimeSpan.FromSeconds(15));
        var host = builder.Build();
        await host.StartAsync();
        return host;
    }

    sealed record Token(string AccessToken);
}

/// <summary>Tests against the running stack.</summary>
public abstract class StackTests(CommerceStack stack) : IAsyncLifetime
{
    /// <summary>Cancelled when the test run is cancelled.</summary>
    protected static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    protected CommerceStack Stack => stack;

    public virtual ValueTask InitializeAsync() => new(stack.StartAsync());

    /// <summary>Waits until the system is at rest and every invariant of docs/promises.md holds.</summary>
    protected Task CheckConsistencyAsync() =>
        Eventually.GetAsync(() => Stack.Services.GetRequiredService<ConsistencyCheck>().RunAsync(Cancelled), report => report.Holds, TimeSpan.FromMinutes(3));

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        await stack.EndCreatedAsync();
    }
}
