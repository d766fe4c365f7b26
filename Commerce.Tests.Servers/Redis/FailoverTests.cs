using System.Collections.Concurrent;
using System.Diagnostics;
using Commerce.Core.Coupons;
using Commerce.Core.Redis;
using Commerce.ServiceDefaults;
using Microsoft.Extensions.Logging.Abstractions;

namespace Commerce.Tests.Servers.Redis;

/// <summary>
/// Tests the effect of a Redis failover on its users. ClusterSaleTests show that nothing is lost and that the gates are rebuilt.
/// </summary>
[Long]
public sealed class FailoverTests
{
    /// <summary>The time within which a gate can be rebuilt.</summary>
    static readonly TimeSpan Known = TimeSpan.FromSeconds(10);

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task F46_A_replica_that_took_over_is_known_as_another_server_and_its_gate_is_opened_anew()
    {
        await using var cluster = await RedisCluster.StartAsync(replicas: 1);
        using var servers = await IdentifyAsync(cluster);
        var gate = new CouponGate(cluster.Client, servers, TimeProvider.System);
        var coupon = await OpenAsync(gate, 1);
        Assert.Equal(GateVerdict.Accepted, (await gate.AcceptAsync(coupon.Id, "alice")).Verdict);
        var key = new CouponKeys(coupon.Id).Gate;
        var before = servers.IncarnationOf(key);

        await cluster.KillAsync(await cluster.PrimaryOfAsync(key!));
        // Requests are sent as in a sale. None may be accepted because of the data that the replica happens to have.
        var start = Stopwatch.GetTimestamp();
        while (servers.IncarnationOf(key) is not { } now || now == before)
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < Known, "The replica is not known.");
            Assert.NotEqual(GateVerdict.Accepted, await PressAsync(gate, coupon.Id, "bob"));
            await Task.Delay(100, Cancelled);
        }

        await Eventually.EqualAsync(GateVerdict.Closed, async () => await PressAsync(gate, coupon.Id, "carol"));
        await Eventually.EqualAsync(true, () => gate.CloseStaleAsync(coupon.Id, 2));
        await gate.ForgetUsersAsync(coupon.Id);
        await gate.RememberUsersAsync(coupon.Id, [("alice", TimeProvider.System.GetUtcNow().UtcDateTime)]);
        Assert.True(await gate.OpenAsync(coupon, epoch: 2, stock: 2, users: 1));
        Assert.Equal(GateVerdict.Accepted, (await gate.AcceptAsync(coupon.Id, "dave")).Verdict);
        await servers.StopAsync(Cancelled);
    }

    [Fact]
    public async Task F47_A_replica_that_was_made_primary_by_hand_is_not_asked_in_the_name_of_the_old_one()
    {
        await using var cluster = await RedisCluster.StartAsync(replicas: 1);
        using var servers = await IdentifyAsync(cluster);
        var gate = new CouponGate(cluster.Client, servers, TimeProvider.System);
        var coupon = await OpenAsync(gate, 1);
        var key = new CouponKeys(coupon.Id).Gate;
        var (before, primary) = (servers.IncarnationOf(key), await cluster.PrimaryOfAsync(key!));
        var replica = await RedisCluster.ReplicaOfAsync(primary);
        // Wait until the replica has the gate.
        await Eventually.EqualAsync("3", () => RedisCluster.AskAsync($"-p {primary} hget {key} stock"));
        await RedisCluster.AskAsync($"-p {primary} wait 1 5000");

        // The old primary is alive and redirects to the new one, which may lack data that the old one has promised.
        Assert.Equal("OK", await RedisCluster.AskAsync($"-p {replica} cluster failover takeover"));

        await Eventually.GetAsync(async () =>
        {
            Assert.NotEqual(GateVerdict.Accepted, await PressAsync(gate, coupon.Id, "bob"));
            return servers.IncarnationOf(key);
        }, now => now is not null && now != before, Known);
        await Eventually.EqualAsync(GateVerdict.Closed, async () => await PressAsync(gate, coupon.Id, "bob"));
        await servers.StopAsync(Cancelled);
    }

    [Fact]
    public async Task F47_Slots_that_move_to_another_node_take_their_gates_along_closed()
    {
        await using var cluster = await RedisCluster.StartAsync();
        using var servers = await IdentifyAsync(cluster);
        var gate = new CouponGate(cluster.Client, servers, TimeProvider.System);
        var coupon = await OpenAsync(gate, 1);
        var key = new CouponKeys(coupon.Id).Gate;
        var from = await cluster.PrimaryOfAsync(key!);
        var to = cluster.Ports.First(p => p != from);
        var accepted = new ConcurrentBag<string>();
        using var sale = new CancellationTokenSource();
        var selling = Task.Run(async () =>
        {
            for (var i = 0; !sale.IsCancellationRequested; i++)
                if (await PressAsync(gate, coupon.Id, $"u{i}") == GateVerdict.Accepted) accepted.Add($"u{i}");
        }, Cancelled);

        await cluster.MoveSlotAsync(key!, to);

        await Eventually.EqualAsync(GateVerdict.Closed, async () => await PressAsync(gate, coupon.Id, "late"), Known);
        await sale.CancelAsync();
        await selling;
        Assert.InRange(accepted.Count, 0, 3);
        Assert.True(await gate.CloseStaleAsync(coupon.Id, 2));
        await servers.StopAsync(Cancelled);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task F47_A_replica_that_is_promoted_by_hand_is_found(bool primaryDied)
    {
        await using var pair = await RedisCluster.StartPairAsync();
        using var servers = await IdentifyAsync(pair);
        var gate = new CouponGate(pair.Client, servers, TimeProvider.System);
        var coupon = await OpenAsync(gate, 1);
        var key = new CouponKeys(coupon.Id).Gate;
        var before = servers.IncarnationOf(key);

        if (primaryDied) await pair.KillAsync(pair.Ports[0]);
        await RedisCluster.AskAsync($"-p {pair.Ports[^1]} replicaof no one");
        // The other server becomes its replica, as an operator would configure it.
        if (!primaryDied) await RedisCluster.AskAsync($"-p {pair.Ports[0]} replicaof 127.0.0.1 {pair.Ports[^1]}");

        await Eventually.GetAsync(() => Task.FromResult(servers.IncarnationOf(key)), now => now is not null && now != before, Known);
        await Eventually.EqualAsync(GateVerdict.Closed, async () => await PressAsync(gate, coupon.Id, "bob"));
        await Eventually.EqualAsync(true, () => gate.CloseStaleAsync(coupon.Id, 2));
        await servers.StopAsync(Cancelled);
    }

    [Fact]
    public async Task Keys_that_expire_are_heard_of_at_each_primary_also_at_one_that_took_over_and_one_that_came_back()
    {
        await using var cluster = await RedisCluster.StartAsync(replicas: 1);
        using var servers = await IdentifyAsync(cluster);
        var feed = new ExpiredKeyFeed(cluster.Client, servers, "timer:", TimeProvider.System, NullLogger<ExpiredKeyFeed>.Instance);
        using var tending = new CancellationTokenSource();
        var tend = Task.Run(async () =>
        {
            while (!tending.IsCancellationRequested)
            {
                try
                {
                    await feed.RefreshAsync(Cancelled);
                }
                catch (Exception e) when (TransientFaults.IsTransient(e))
                {
                    // The listener also ignores this failure.
                }

                await Task.Delay(200, Cancelled);
            }
        }, Cancelled);
        await HeardAsync("first");

        var key = "timer:{a}first";
        var primary = await cluster.PrimaryOfAsync(key);
        await cluster.KillAsync(primary);
        await Eventually.GetAsync(() => cluster.PrimaryOfAsync(key), at => at != 0 && at != primary);
        await HeardAsync("failed-over");

        // The server returns as a replica, and is promoted again.
        cluster.StartNode(primary);
        await Eventually.GetAsync(() => RedisCluster.AskAsync($"-p {primary} info replication"), info => info.Contains("master_link_status:up", StringComparison.Ordinal));
        await RedisCluster.AskAsync($"-p {primary} cluster failover");
        await Eventually.EqualAsync(primary, () => cluster.PrimaryOfAsync(key));
        await HeardAsync("back");
        await tending.CancelAsync();
        await tend;
        await servers.StopAsync(Cancelled);

        // Sets a key with a short expiry on every primary. A key without a notification is set again until it arrives.
        Task HeardAsync(string what)
        {
            var heard = new HashSet<string>();
            return Eventually.GetAsync(async () =>
            {
                foreach (var tag in new[] { "a", "b", "c" })
                    await cluster.Client.GetDatabase().StringSetAsync($"timer:{{{tag}}}{what}", "", TimeSpan.FromMilliseconds(50));
                await Task.Delay(300, Cancelled);
                while (feed.Keys.TryRead(out var name)) heard.Add(name);
                return string.Join(' ', heard.Where(n => n.EndsWith(what, StringComparison.Ordinal)).Order());
            }, all => all == $"{{a}}{what} {{b}}{what} {{c}}{what}", TimeSpan.FromSeconds(15));
        }
    }

    static async Task<RedisServers> IdentifyAsync(RedisCluster cluster)
    {
        var servers = new RedisServers(cluster.Client, TimeProvider.System, NullLogger<RedisServers>.Instance);
        await servers.StartAsync(Cancelled);
        return servers;
    }

    static async Task<Coupon> OpenAsync(CouponGate gate, long id)
    {
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        var coupon = new Coupon(id, "failover", 1000, 3, 0, now.AddHours(-1), now.AddHours(1), "ACTIVE", 1, 1);
        await Eventually.EqualAsync(true, () => gate.OpenAsync(coupon, epoch: 1, stock: 3, users: 0));
        return coupon;
    }

    /// <summary>Returns the gate's verdict, or null after a fault of a dependency.</summary>
    static async Task<GateVerdict?> PressAsync(CouponGate gate, long coupon, string user)
    {
        try
        {
            return (await gate.AcceptAsync(coupon, user)).Verdict;
        }
        catch (Exception e)
        {
            Assert.True(TransientFaults.IsTransient(e), e.ToString());
            return null;
        }
    }
}
