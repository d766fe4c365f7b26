using System.Net.Sockets;
using System.Text.Json;
using Commerce.ServiceDefaults;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace Commerce.Tests.Unit.ServiceDefaults;

public sealed class HealthTests
{
    [Fact]
    public async Task A_dependency_that_is_away_degrades_a_service_and_leaves_it_in_rotation()
    {
        await using var api = await TestApi.StartAsync(environment: "Development", configure: WithDependencies);

        var (status, body, _) = await api.SendAsync(HttpMethod.Get, "/health/dependencies");

        Assert.Equal((200, "Degraded"), (status, body.GetProperty("status").GetString()));
        var checks = ChecksOf(body);
        Assert.Equal("Degraded", checks["kafka"].GetProperty("status").GetString());
        Assert.Equal("Healthy", checks["mysql"].GetProperty("status").GetString());
        Assert.Equal(JsonValueKind.Number, checks["kafka"].GetProperty("durationMs").ValueKind);
        Assert.DoesNotContain("hunter2", body.GetRawText(), StringComparison.Ordinal);
        foreach (var path in new[] { "/health", "/alive" })
        {
            (status, body, _) = await api.SendAsync(HttpMethod.Get, path);
            Assert.Equal((200, "Healthy"), (status, body.GetProperty("status").GetString()));
            Assert.DoesNotContain("kafka", ChecksOf(body).Keys);
        }
    }

    [Fact]
    public async Task A_dependency_that_the_routes_need_decides_about_readiness()
    {
        await using var api = await TestApi.StartAsync(
            environment: "Development", configure: builder => { WithDependencies(builder); builder.RequireForReadiness("kafka"); });

        var (status, body, _) = await api.SendAsync(HttpMethod.Get, "/health");

        Assert.Equal((503, "Unhealthy"), (status, body.GetProperty("status").GetString()));
        Assert.Equal(200, (await api.SendAsync(HttpMethod.Get, "/alive")).Status);
        // A degraded dependency is reported the same way.
        Assert.Equal("Degraded", (await api.SendAsync(HttpMethod.Get, "/health/dependencies")).Body.GetProperty("status").GetString());
    }

    [Fact]
    public async Task Dependencies_are_asked_once_a_second_however_many_probe()
    {
        var clock = new FakeTimeProvider();
        var asked = 0;
        await using var api = await TestApi.StartAsync(environment: "Development", configure: builder =>
        {
            builder.Services.AddSingleton<TimeProvider>(clock);
            builder.Services.AddDependencyCheck("mysql", (services, _) =>
            {
                // The services belong to the process. Those of a probe are disposed of before the next probe.
                services.GetRequiredService<TimeProvider>();
                Interlocked.Increment(ref asked);
                return Task.CompletedTask;
            });
        });

        await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => api.SendAsync(HttpMethod.Get, "/health/dependencies")));
        Assert.Equal(1, asked);
        clock.Advance(TimeSpan.FromSeconds(1));
        var last = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => api.SendAsync(HttpMethod.Get, "/health/dependencies")));

        Assert.Equal(2, asked);
        Assert.All(last, answer => Assert.Equal("Healthy", answer.Body.GetProperty("status").GetString()));
    }

    [Fact]
    public async Task A_dependency_that_hangs_is_told_of_in_time()
    {
        await using var api = await TestApi.StartAsync(
            environment: "Development", configure: builder => builder.Services.AddDependencyCheck("mysql", (_, _) => Task.Delay(Timeout.Infinite, CancellationToken.None)));

        Assert.Equal("Degraded", (await api.SendAsync(HttpMethod.Get, "/health/dependencies")).Body.GetProperty("status").GetString());
    }

    [Fact]
    public async Task Strangers_do_not_learn_in_production_what_is_down()
    {
        await using var api = await TestApi.StartAsync(configure: builder => { WithDependencies(builder); builder.AddCommerceAuthentication(); }, settings: new()
        {
            ["Authentication:Schemes:Bearer:ValidIssuer"] = "shop",
            ["Authentication:Schemes:Bearer:ValidAudiences:0"] = "commerce",
            ["Authentication:Schemes:Bearer:SigningKeys:0:Issuer"] = "shop",
            ["Authentication:Schemes:Bearer:SigningKeys:0:Value"] = Convert.ToBase64String(new byte[32]),
        });
        await using var workers = await TestApi.StartAsync(configure: WithDependencies);

        await api.ExpectProblemAsync(401, "unauthorized", HttpMethod.Get, "/health/dependencies");
        await workers.ExpectProblemAsync(404, "not-found", HttpMethod.Get, "/health/dependencies");
        Assert.Equal(200, (await api.SendAsync(HttpMethod.Get, "/health")).Status);
    }

    [Fact]
    public async Task A_service_that_listens_but_has_not_started_gets_no_work()
    {
        var late = new LateStart();
        // Registered after the server, so it starts after it.
        var starting = TestApi.Build(null, builder => builder.Services.AddHostedService(_ => late), "Production", null, new RecordedLogs());
        var started = starting.StartAsync(TestContext.Current.CancellationToken);
        await late.Reached.Task;
        var check = ActivatorUtilities.CreateInstance<StartedCheck>(starting.Services);

        Assert.Equal(HealthStatus.Unhealthy, (await check.CheckHealthAsync(new(), TestContext.Current.CancellationToken)).Status);
        late.MayStart.SetResult();
        await started;
        Assert.Equal(HealthStatus.Healthy, (await check.CheckHealthAsync(new(), TestContext.Current.CancellationToken)).Status);
        await starting.DisposeAsync();
    }

    [Fact]
    public async Task Liveness_does_not_ask_the_dependencies()
    {
        await using var api = await TestApi.StartAsync(configure: WithDependencies);

        var (status, body, _) = await api.SendAsync(HttpMethod.Get, "/alive");

        Assert.Equal(200, status);
        Assert.Equal("self", Assert.Single(body.GetProperty("checks").EnumerateArray()).GetProperty("name").GetString());
    }

    static void WithDependencies(WebApplicationBuilder builder)
    {
        builder.Services.AddDependencyCheck("mysql", (_, _) => Task.CompletedTask);
        builder.Services.AddDependencyCheck("kafka", (_, _) => throw new InvalidOperationException("Server=db;Password=hunter2"));
    }

    static Dictionary<string, JsonElement> ChecksOf(JsonElement body) =>
        body.GetProperty("checks").EnumerateArray().ToDictionary(c => c.GetProperty("name").GetString()!);

    sealed class LateStart : IHostedLifecycleService
    {
        public TaskCompletionSource Reached { get; } = new();

        public TaskCompletionSource MayStart { get; } = new();

        public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StartedAsync(CancellationToken cancellationToken)
        {
            Reached.SetResult();
            return MayStart.Task;
        }

        public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    [Fact]
    public async Task Probes_need_no_token_and_leave_no_trace()
    {
        await using var api = await TestApi.StartAsync(configure: builder => builder.AddCommerceAuthentication(), environment: "Development");

        foreach (var path in new[] { "/health", "/alive", "/health/dependencies" })
            Assert.Equal(200, (await api.SendAsync(HttpMethod.Get, path)).Status);
        Assert.All(
            api.App.Services.GetRequiredService<EndpointDataSource>().Endpoints,
            endpoint => Assert.NotNull(endpoint.Metadata.GetMetadata<UntracedMetadata>()));
    }

    static readonly TimeSpan DrainDelay = TimeSpan.FromSeconds(1);

    static Dictionary<string, string?> Draining => new() { ["Shutdown:DrainDelay"] = DrainDelay.ToString() };

    [Fact]
    public async Task Readiness_goes_off_before_the_server_stops()
    {
        var clock = new FakeTimeProvider();
        await using var api = await TestApi.StartAsync(
            app => app.MapGet("/work", () => 1), builder => builder.Services.AddSingleton<TimeProvider>(clock), settings: Draining);
        Assert.Equal(200, (await api.SendAsync(HttpMethod.Get, "/health")).Status);

        var stop = api.App.StopAsync(TestContext.Current.CancellationToken);

        Assert.Equal(503, (await api.SendAsync(HttpMethod.Get, "/health")).Status);
        Assert.Equal(200, (await api.SendAsync(HttpMethod.Get, "/alive")).Status);
        using var work = await api.Client.GetAsync("/work", TestContext.Current.CancellationToken);
        Assert.Equal(200, (int)work.StatusCode);
        // The client is asked to open a new connection, which leads to another replica.
        Assert.True(work.Headers.ConnectionClose);
        clock.Advance(DrainDelay - TimeSpan.FromMilliseconds(1));
        Assert.Equal(200, (await api.SendAsync(HttpMethod.Get, "/alive")).Status);
        Assert.False(stop.IsCompleted);
        await clock.RunAsync(stop);
        using var connection = new TcpClient();
        await Assert.ThrowsAsync<SocketException>(() => connection.ConnectAsync(api.Client.BaseAddress!.Host, api.Client.BaseAddress.Port, TestContext.Current.CancellationToken).AsTask());
    }

    [Fact]
    public async Task No_request_fails_while_the_process_ends()
    {
        var clock = new FakeTimeProvider();
        await using var api = await TestApi.StartAsync(
            app => app.MapGet("/work", async (CancellationToken gone) =>
            {
                await Task.Delay(5, gone);
                return 1;
            }),
            builder => builder.Services.AddSingleton<TimeProvider>(clock), settings: Draining);
        var lifetime = api.App.Services.GetRequiredService<IHostApplicationLifetime>();
        using var balancer = new CancellationTokenSource();
        // The server stops only after it has drained and its last request has ended.
        var ended = api.App.WaitForShutdownAsync(TestContext.Current.CancellationToken);
        var statuses = await Task.WhenAll(Enumerable.Range(0, 8).Select(n => Task.Run(async () =>
        {
            var seen = new List<int>();
            while (!balancer.IsCancellationRequested)
            {
                seen.Add((await api.SendAsync(HttpMethod.Get, "/work")).Status);
                // One of the clients acts as the load balancer. It sends no requests after readiness fails.
                if (n == 0 && (await api.SendAsync(HttpMethod.Get, "/health")).Status == 503)
                    await balancer.CancelAsync();
                if (n == 1 && seen.Count == 100)
                    lifetime.StopApplication();
            }
            return seen;
        })));
        await clock.RunAsync(ended);

        Assert.True(statuses.Sum(seen => seen.Count) >= 100);
        Assert.All(statuses.SelectMany(seen => seen), status => Assert.Equal(200, status));
    }

    [Theory, InlineData("Development", 0), InlineData("Production", 2)]
    public void Draining_takes_no_time_in_development(string environment, int seconds)
    {
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { EnvironmentName = environment });
        using var host = builder.AddServiceDefaults().Build();

        Assert.Equal(TimeSpan.FromSeconds(seconds), host.Services.GetRequiredService<IOptions<ShutdownOptions>>().Value.DrainDelay);
        Assert.Equal(TimeSpan.FromSeconds(30), host.Services.GetRequiredService<IOptions<HostOptions>>().Value.ShutdownTimeout);
    }
}
