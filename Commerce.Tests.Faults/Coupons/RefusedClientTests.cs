using System.Collections.Concurrent;
using System.Net;
using Aspire.Hosting.Testing;
using Dapper;
using MySqlConnector;
using StackExchange.Redis;

namespace Commerce.Tests.Faults.Coupons;

/// <summary>
/// Servers that run, but reject our clients, because a password was changed there first or all connections are in use.
/// </summary>
public sealed class RefusedClientTests(CommerceStack stack) : CouponFaultTests(stack)
{
    [Theory]
    [InlineData("ALTER USER USER() IDENTIFIED BY 'another'", "ALTER USER USER() IDENTIFIED BY '{0}'", "f47")]
    [InlineData("SET GLOBAL max_connections = 1", "SET GLOBAL max_connections = 500", "f48")]
    public async Task F47_F48_While_MySQL_takes_no_connection_acceptances_wait(string refuse, string admit, string prefix)
    {
        var coupon = await Stack.CouponAsync(total: 100);
        var users = await Stack.UsersAsync(prefix, 120);
        using var admin = Stack.ImpatientAdmin();
        Assert.Equal("", await users[0].TakeAsync(coupon.Id));
        var text = new MySqlConnectionStringBuilder((await Stack.App.GetConnectionStringAsync("commerce", Cancelled))!) { Pooling = false };
        // Two connections are needed, because MySQL reserves one more for administrators, and these tests run as an administrator.
        await using var one = new MySqlConnection(text.ConnectionString);
        await using var two = new MySqlConnection(text.ConnectionString);
        await one.OpenAsync(Cancelled);
        await two.OpenAsync(Cancelled);
        await one.ExecuteAsync(refuse);
        ConcurrentDictionary<string, string> verdicts;
        try
        {
            await Eventually.EqualAsync(0, EndOthersAsync);
            var asked = TimeProvider.System.GetTimestamp();
            using var refusal = await admin.PostAsync($"/api/admin/coupons/{coupon.Id}/cancel", null, Cancelled);
            await refusal.ShouldBeProblemAsync(HttpStatusCode.ServiceUnavailable, "dependency-unavailable");
            Assert.NotNull(refusal.Headers.RetryAfter);
            // The response came before MySQL accepted connections again.
            Assert.True(TimeProvider.System.GetElapsedTime(asked) < TimeSpan.FromSeconds(30));
            verdicts = await users.SellAsync(coupon.Id, TimeSpan.FromSeconds(15));
        }
        finally
        {
            await one.ExecuteAsync(string.Format(System.Globalization.CultureInfo.InvariantCulture, admit, text.Password));
        }

        Assert.Contains("", verdicts.Values);
        foreach (var (user, verdict) in await users.Where(u => !verdicts.ContainsKey(u.Id)).SellAsync(coupon.Id)) verdicts[user] = verdict;
        await CheckConsistencyAsync(coupon.Id, verdicts);
        Assert.Equal(100, await RowsAsync(coupon.Id));

        async Task<int> EndOthersAsync()
        {
            var others = (await one.QueryAsync<long>("SELECT id FROM information_schema.processlist WHERE user = @UserID AND id NOT IN @ours",
                new { text.UserID, ours = new[] { one.ServerThread, two.ServerThread } })).ToList();
            foreach (var id in others) await one.ExecuteAsync($"KILL {id}");
            return others.Count;
        }
    }

    [Fact]
    public async Task F47_While_Redis_has_another_password_nothing_is_promised()
    {
        var coupon = await Stack.CouponAsync(total: 100);
        var users = await Stack.UsersAsync("f47-redis", 120);
        Assert.Equal("", await users[0].TakeAsync(coupon.Id));
        var options = ConfigurationOptions.Parse((await Stack.App.GetConnectionStringAsync("redis", Cancelled))!);
        options.AllowAdmin = true;
        await using var client = await ConnectionMultiplexer.ConnectAsync(options);
        var server = client.GetServers().Single();
        await server.ConfigSetAsync("requirepass", "another");
        try
        {
            foreach (var type in new[] { "normal", "pubsub" }) await server.ExecuteAsync("CLIENT", "KILL", "TYPE", type, "SKIPME", "yes");
            var verdicts = await Task.WhenAll(users.Skip(1).Take(20).Select(u => u.PressAsync(coupon.Id)));
            Assert.All(verdicts, v => Assert.Contains(v, new[] { "dependency-unavailable", "gate-closed" }));
        }
        finally
        {
            await server.ConfigSetAsync("requirepass", options.Password);
        }

        await CheckConsistencyAsync(coupon.Id, await users.SellAsync(coupon.Id));
        Assert.Equal(100, await RowsAsync(coupon.Id));
    }
}
