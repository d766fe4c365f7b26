using Commerce.Core.Coupons;
using Commerce.Core.Redis;
using Commerce.Tests.Servers.Redis;
using Microsoft.Extensions.Logging.Abstractions;

namespace Commerce.Tests.Servers.Coupons;

/// <summary>
/// Runs every coupon script on a Redis Cluster. The keys of a coupon are on one node, and the coupons are spread over all nodes.
/// </summary>
[Long]
public sealed class CouponClusterTests
{
    [Fact]
    public async Task Issue_sweep_and_rebuild_run_on_a_cluster()
    {
        await using var cluster = await RedisCluster.StartAsync();
        // Each run uses new coupons.
        var firstId = 1;
        await Eventually.UnspoiltAsync(() => RunAsync(cluster, firstId += 20));
    }

    [Fact]
    public async Task A_server_that_answers_late_is_known_in_the_end()
    {
        await using var cluster = await RedisCluster.StartAsync();
        using var servers = new RedisServers(cluster.Client, TimeProvider.System, NullLogger<RedisServers>.Instance);
        cluster.Freeze();
        try
        {
            await servers.StartAsync(TestContext.Current.CancellationToken);
            Assert.Null(servers.IncarnationOf(new CouponKeys(1).Gate));
        }
        finally
        {
            cluster.Thaw();
        }

        await Eventually.GetAsync(() => Task.FromResult(servers.IncarnationOf(new CouponKeys(1).Gate)), id => id is not null);
        await servers.StopAsync(TestContext.Current.CancellationToken);
    }

    static async Task RunAsync(RedisCluster cluster, int firstId)
    {
        using var servers = new RedisServers(cluster.Client, TimeProvider.System, NullLogger<RedisServers>.Instance);
        await servers.StartAsync(TestContext.Current.CancellationToken);
        var gate = new CouponGate(cluster.Client, servers, TimeProvider.System);
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        var coupons = Enumerable.Range(firstId, 20).Select(id => new Coupon(id, "cluster", 1000, 3, 0, now.AddHours(-1), now.AddHours(1), "ACTIVE", 1, 1)).ToList();

        foreach (var coupon in coupons)
        {
            Assert.Equal(GateVerdict.Closed, (await gate.AcceptAsync(coupon.Id, "alice")).Verdict);
            Assert.True(await gate.OpenAsync(coupon, epoch: 1, stock: 3, users: 0));
            Assert.False(await gate.OpenAsync(coupon, epoch: 1, stock: 3, users: 0));
            var verdicts = new List<GateVerdict>();
            foreach (var user in new[] { "alice", "alice", "bob", "carol", "dave" }) verdicts.Add((await gate.AcceptAsync(coupon.Id, user)).Verdict);
            Assert.Equal([GateVerdict.Accepted, GateVerdict.AlreadyPending, GateVerdict.Accepted, GateVerdict.Accepted, GateVerdict.SoldOut], verdicts);
        }

        Assert.Equal(3, coupons.Select(c => servers.IncarnationOf(new CouponKeys(c.Id).Gate)).Distinct().Count());

        foreach (var coupon in coupons)
        {
            var swept = new SortedSet<string>(StringComparer.Ordinal);
            await Eventually.GetAsync(async () =>
            {
                swept.UnionWith((await gate.SweepAsync(coupon.Id, limit: 10)).Due.Select(d => d.UserId));
                return swept.Count;
            }, count => count >= 3);
            Assert.Equal(["alice", "bob", "carol"], swept);
            await gate.AcknowledgeAsync(coupon.Id, ["alice", "bob", "carol"]);
            Assert.Equal((3, 0), await gate.CountAsync(coupon.Id));

            Assert.True(await gate.CloseStaleAsync(coupon.Id, epoch: 2));
            await gate.ForgetUsersAsync(coupon.Id);
            await gate.RememberUsersAsync(coupon.Id, [("alice", now), ("bob", now)]);
            // Neither a late caller nor an incomplete set of users can open the gate.
            Assert.False(await gate.OpenAsync(coupon, epoch: 1, stock: 3, users: 2));
            Assert.False(await gate.OpenAsync(coupon, epoch: 2, stock: 1, users: 3));
            Assert.True(await gate.OpenAsync(coupon, epoch: 2, stock: 1, users: 2));
            Assert.False(await gate.CloseStaleAsync(coupon.Id, epoch: 2));
            Assert.False(await gate.CloseStaleAsync(coupon.Id, epoch: 1));
            Assert.Equal(GateVerdict.AlreadyIssued, (await gate.AcceptAsync(coupon.Id, "alice")).Verdict);
            Assert.Equal(GateVerdict.Accepted, (await gate.AcceptAsync(coupon.Id, "carol")).Verdict);
            Assert.Equal(GateVerdict.SoldOut, (await gate.AcceptAsync(coupon.Id, "dave")).Verdict);

            Assert.True(await gate.SyncAsync(coupon with { Version = 2, TotalQuantity = 4 }));
            Assert.Equal(GateVerdict.Accepted, (await gate.AcceptAsync(coupon.Id, "dave")).Verdict);

            Assert.Null(await gate.FindRefusalAsync(coupon.Id));
            Assert.Equal(["carol", "dave"], (await gate.ListPendingAsync(coupon.Id)).Select(p => p.UserId).Order(StringComparer.Ordinal));
            await gate.AcknowledgeAsync(coupon.Id, ["carol", "dave"]);
            Assert.Equal(new GateRefusal(GateVerdict.SoldOut, 2, 2, 4), await gate.FindRefusalAsync(coupon.Id));
            Assert.Equal(4, (await gate.ListUsersAsync(coupon.Id)).Count);
            Assert.True((await gate.FindAsync(coupon.Id, "dave")).Open);
            Assert.Equal(new GateState(2, 2, true, 0), Assert.Single(await gate.InspectAsync([coupon.Id])));
        }

        await servers.StopAsync(TestContext.Current.CancellationToken);
    }
}
