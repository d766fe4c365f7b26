using Commerce.Core;
using Commerce.Core.Coupons;
using Commerce.Core.Redis;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using StackExchange.Redis;

namespace Commerce.Tests.Servers.Redis;

/// <summary>Redis with TLS, and a user with only the rights that the application needs.</summary>
public sealed class SecureRedisTests
{
    /// <summary>The same rights as in docs/operations.md.</summary>
    const string Rights = "~* &* +@all -@admin -@dangerous +info +config|get +config|set";

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_gate_works_over_TLS_as_a_user_with_the_rights_that_it_needs()
    {
        await using var redis = await RedisCluster.StartSecureAsync($"commerce on >secret {Rights}");
        using var host = Host(redis, "secret");
        var servers = host.Services.GetRequiredService<RedisServers>();
        await servers.StartAsync(Cancelled);
        var gate = host.Services.GetRequiredService<CouponGate>();
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        var coupon = new Coupon(1, "secure", 1000, 3, 0, now.AddHours(-1), now.AddHours(1), "ACTIVE", 1, 1);
        await Eventually.EqualAsync(true, () => gate.OpenAsync(coupon, epoch: 1, stock: 3, users: 0));
        Assert.Equal(GateVerdict.Accepted, (await gate.AcceptAsync(1, "alice")).Verdict);

        var feed = new ExpiredKeyFeed(host.Services.GetRequiredService<IConnectionMultiplexer>(), servers, "timer:", TimeProvider.System, NullLogger<ExpiredKeyFeed>.Instance);
        await feed.RefreshAsync(Cancelled);
        await host.Services.GetRequiredService<IConnectionMultiplexer>().GetDatabase().StringSetAsync("timer:x", "", TimeSpan.FromMilliseconds(20));
        Assert.Equal("x", await feed.Keys.ReadAsync(Cancelled).AsTask().WaitAsync(TimeSpan.FromSeconds(10), Cancelled));
        Assert.Equal(HealthStatus.Healthy, await HealthAsync(host));
        await servers.StopAsync(Cancelled);

        using var stranger = Host(redis, "wrong");
        Assert.Equal(HealthStatus.Degraded, await HealthAsync(stranger));
    }

    static async Task<HealthStatus> HealthAsync(IHost host) =>
        (await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(c => c.Name == "redis", Cancelled)).Status;

    static IHost Host(RedisCluster redis, string password)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["ConnectionStrings:redis"] = $"{redis.ConnectionString},ssl=true,user=commerce,password={password}",
            ["Redis:CertificateAuthority"] = redis.Authority,
        });
        builder.AddServiceDefaults();
        builder.AddCommerceCore(commandTimeout: TimeSpan.FromSeconds(1));
        return builder.Build();
    }
}
