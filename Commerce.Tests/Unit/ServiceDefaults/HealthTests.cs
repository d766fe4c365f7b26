using System.Net.Sockets;
using System.Text.Json;
using Commerce.ServiceDefaults;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Commerce.Tests.Unit.ServiceDefaults;

public sealed class HealthTests
{
    [Fact]
    public async Task Readiness_tells_which_check_says_what()
    {
        await using var api = await TestApi.StartAsync(
            configure: builder => builder.Services.AddHealthChecks()
                .AddCheck("mysql", () => HealthCheckResult.Unhealthy("Server=db;Password=hunter2", new InvalidOperationException("hunter2"))));

        var (status, body, _) = await api.SendAsync(HttpMethod.Get, "/health");

        Assert.Equal(503, status);
        Assert.Equal("Unhealthy", body.GetProperty("status").GetString());
        var checks = body.GetProperty("checks").EnumerateArray().ToDictionary(c => c.GetProperty("name").GetString()!);
        Assert.Equal("Unhealthy", checks["mysql"].GetProperty("status").GetString());
        Assert.Equal("Healthy", checks["self"].GetProperty("status").GetString());
        Assert.Equal(JsonValueKind.Number, checks["mysql"].GetProperty("durationMs").ValueKind);
        Assert.DoesNotContain("hunter2", body.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Liveness_does_not_ask_the_dependencies()
    {
        await using var api = await TestApi.StartAsync(
            configure: builder => builder.Services.AddHealthChecks().AddCheck("mysql", () => HealthCheckResult.Unhealthy()));

        var (status, body, _) = await api.SendAsync(HttpMethod.Get, "/alive");

        Assert.Equal(200, status);
        Assert.Equal("self", Assert.Single(body.GetProperty("checks").EnumerateArray()).GetProperty("name").GetString());
    }

    [Fact]
    public async Task Probes_need_no_token_and_leave_no_trace()
    {
        await using var api = await TestApi.StartAsync(configure: builder => builder.AddCommerceAuthentication(), environment: "Development");

        foreach (var path in new[] { "/health", "/alive" })
            Assert.Equal(200, (await api.SendAsync(HttpMethod.Get, path)).Status);
        Assert.All(
            api.App.Services.GetRequiredService<EndpointDataSource>().Endpoints,
            endpoint => Assert.NotNull(endpoint.Metadata.GetMetadata<UntracedMetadata>()));
    }

    [Fact]
    public Task Readiness_goes_off_before_the_server_stops() => Eventually.UnspoiltAsync(async () =>
    {
        await using var api = await TestApi.StartAsync(
            app => app.MapGet("/work", () => 1), settings: new() { ["Shutdown:DrainDelay"] = "00:00:01" });
        Assert.Equal(200, (await api.SendAsync(HttpMethod.Get, "/health")).Status);

        var stop = api.App.StopAsync(TestContext.Current.CancellationToken);

        Assert.Equal(503, (await api.SendAsync(HttpMethod.Get, "/health")).Status);
        Assert.Equal(200, (await api.SendAsync(HttpMethod.Get, "/alive")).Status);
        using var work = await api.Client.GetAsync("/work", TestContext.Current.CancellationToken);
        Assert.Equal(200, (int)work.StatusCode);
        // The client is asked to open a new connection, which leads it to another replica.
        Assert.True(work.Headers.ConnectionClose);
        Assert.False(stop.IsCompleted);
        await stop;
        using var connection = new TcpClient();
        await Assert.ThrowsAsync<SocketException>(() => connection.ConnectAsync(api.Client.BaseAddress!.Host, api.Client.BaseAddress.Port, TestContext.Current.CancellationToken).AsTask());
    });

    [Fact]
    public Task No_request_fails_while_the_process_ends() => Eventually.UnspoiltAsync(async () =>
    {
        await using var api = await TestApi.StartAsync(
            app => app.MapGet("/work", async (CancellationToken gone) =>
            {
                await Task.Delay(5, gone);
                return 1;
            }),
            settings: new() { ["Shutdown:DrainDelay"] = "00:00:01" });
        var lifetime = api.App.Services.GetRequiredService<IHostApplicationLifetime>();
        using var balancer = new CancellationTokenSource();
        var statuses = await Task.WhenAll(Enumerable.Range(0, 8).Select(n => Task.Run(async () =>
        {
            var seen = new List<int>();
            while (!balancer.IsCancellationRequested)
            {
                seen.Add((await api.SendAsync(HttpMethod.Get, "/work")).Status);
                // One of them also plays the load balancer, which sends no more work once readiness is off.
                if (n == 0 && (await api.SendAsync(HttpMethod.Get, "/health")).Status == 503)
                    await balancer.CancelAsync();
                if (n == 1 && seen.Count == 20)
                    lifetime.StopApplication();
            }
            return seen;
        })).Append(StopWithTheHostAsync()));

        Assert.True(statuses.Sum(seen => seen.Count) > 100);
        Assert.All(statuses.SelectMany(seen => seen), status => Assert.Equal(200, status));

        async Task<List<int>> StopWithTheHostAsync()
        {
            await api.App.WaitForShutdownAsync(TestContext.Current.CancellationToken);
            return [];
        }
    });

    [Theory, InlineData("Development", 0), InlineData("Production", 2)]
    public void Draining_takes_no_time_in_development(string environment, int seconds)
    {
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { EnvironmentName = environment });
        using var host = builder.AddServiceDefaults().Build();

        Assert.Equal(TimeSpan.FromSeconds(seconds), host.Services.GetRequiredService<IOptions<ShutdownOptions>>().Value.DrainDelay);
        Assert.Equal(TimeSpan.FromSeconds(30), host.Services.GetRequiredService<IOptions<HostOptions>>().Value.ShutdownTimeout);
    }
}
