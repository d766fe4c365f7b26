using System.Diagnostics;
using Commerce.Core.Redis;
using Commerce.Core.WaitingRoom;
using Commerce.ServiceDefaults;
using Commerce.Tests.Servers.Redis;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Commerce.Tests.Servers.WaitingRoom;

/// <summary>Every script of waiting rooms on a Redis Cluster: the keys of a room are on one node, and the rooms are spread over all nodes.</summary>
[Long]
public sealed class WaitingRoomClusterTests
{
    /// <summary>How soon another server is known.</summary>
    static readonly TimeSpan Known = TimeSpan.FromSeconds(10);

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Joining_leaving_and_admitting_run_on_a_cluster()
    {
        await using var cluster = await RedisCluster.StartAsync();
        // New rooms for each run.
        var firstId = 1;
        await Eventually.UnspoiltAsync(() => RunAsync(cluster, firstId += 20));
    }

    [Fact]
    public async Task F46_When_a_primary_dies_its_places_are_forgotten_and_nobody_is_admitted_twice()
    {
        await using var cluster = await RedisCluster.StartAsync(replicas: 1);
        using var servers = await IdentifyAsync(cluster);
        var (gate, room, keys) = (GateOf(cluster, servers), RoomOf(1), new WaitingRoomKeys(1));
        Assert.NotNull(await gate.OpenAsync(room.EventId, 1, AsyncEnumerable.Empty<Admission>()));
        var admitted = await Eventually.GetAsync(() => gate.EnterAsync(room, "alice", joins: true), place => place.State == PlaceState.Admitted);
        Assert.Equal((PlaceState.Waiting, 1), StateOf(await gate.EnterAsync(room with { IsOpen = false }, "bob", joins: true)));
        var (before, primary) = (servers.IncarnationOf(keys.Room), await cluster.PrimaryOfAsync(keys.Room!));
        // All four keys are on the replica, too.
        var replica = await RedisCluster.ReplicaOfAsync(primary);
        await Eventually.EqualAsync("4", () => RedisCluster.AskAsync($"-p {replica} dbsize"));

        await cluster.KillAsync(primary);

        // As shoppers do it; nobody is told anything by what the replica happens to know.
        var start = Stopwatch.GetTimestamp();
        while (servers.IncarnationOf(keys.Room) is not { } now || now == before)
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < Known, "The replica is not known.");
            Assert.Contains(await AskAsync("bob"), new PlaceState?[] { null, PlaceState.Closed });
            await Task.Delay(100, Cancelled);
        }

        await Eventually.EqualAsync(PlaceState.Closed, () => AskAsync("bob"));
        Assert.Equal(before, (string?)await cluster.Client.GetDatabase().HashGetAsync(keys.Room, "server"));
        Assert.NotNull(await gate.OpenAsync(room.EventId, 2, new[] { new Admission("alice", admitted.Expires) }.ToAsyncEnumerable()));
        // A process that is late opens nothing.
        await gate.OpenAsync(room.EventId, 1, AsyncEnumerable.Empty<Admission>());
        Assert.Equal(admitted with { Epoch = 2 }, await gate.EnterAsync(room, "alice", joins: true));
        Assert.Equal((PlaceState.None, 2), StateOf(await gate.EnterAsync(room, "bob", joins: false)));
        var again = await Eventually.GetAsync(() => gate.EnterAsync(room, "bob", joins: true), place => place.State == PlaceState.Admitted);
        Assert.Equal(again, await gate.EnterAsync(room, "bob", joins: true));
        await servers.StopAsync(Cancelled);

        // Null where the gate says nothing, which must be a fault of a dependency.
        async Task<PlaceState?> AskAsync(string user)
        {
            try
            {
                return (await gate.EnterAsync(room, user, joins: true)).State;
            }
            catch (Exception e)
            {
                Assert.True(TransientFaults.IsTransient(e), e.ToString());
                return null;
            }
        }
    }

    static async Task RunAsync(RedisCluster cluster, int firstId)
    {
        using var servers = await IdentifyAsync(cluster);
        var gate = GateOf(cluster, servers);
        var rooms = Enumerable.Range(firstId, 20).Select(id => RoomOf(id)).ToList();

        foreach (var room in rooms)
        {
            var planned = room with { IsOpen = false };
            Assert.Equal(PlaceState.Closed, (await gate.EnterAsync(planned, "alice", joins: true)).State);
            Assert.NotNull(await gate.OpenAsync(room.EventId, 1, AsyncEnumerable.Empty<Admission>()));
            Assert.Equal((PlaceState.None, 1), StateOf(await gate.EnterAsync(planned, "alice", joins: false)));
            var ahead = new List<long>();
            foreach (var user in new[] { "alice", "bob", "alice", "carol" }) ahead.Add((await gate.EnterAsync(planned, user, joins: true)).Ahead);
            Assert.Equal([0, 1, 0, 2], ahead);
            await gate.LeaveAsync(room.EventId, "alice");
            Assert.Equal((0, 2), await PlaceAsync(planned, "bob"));
            Assert.Equal((1, 2), await PlaceAsync(planned, "carol"));
            Assert.Equal(2L, await gate.CountAsync(room.EventId));

            var carol = await Eventually.GetAsync(() => gate.EnterAsync(room, "carol", joins: false), place => place.State == PlaceState.Admitted);
            var bob = await gate.EnterAsync(room, "bob", joins: false);
            Assert.True(bob.State == PlaceState.Admitted && bob.Expires <= carol.Expires, $"{bob} {carol}");
            Assert.Equal(carol, await gate.EnterAsync(room, "carol", joins: true));
            await gate.OpenAsync(room.EventId, 2, new[] { new Admission("bob", bob.Expires) }.ToAsyncEnumerable());
            Assert.Equal(bob with { Epoch = 2 }, await gate.EnterAsync(planned, "bob", joins: true));
            Assert.Equal((PlaceState.None, 2), StateOf(await gate.EnterAsync(planned, "carol", joins: false)));
        }

        Assert.Equal(3, rooms.Select(r => servers.IncarnationOf(new WaitingRoomKeys(r.EventId).Room)).Distinct().Count());
        await servers.StopAsync(Cancelled);

        async Task<(long Ahead, long Waiting)> PlaceAsync(Room room, string user) =>
            await gate.EnterAsync(room, user, joins: false) is { State: PlaceState.Waiting } place ? (place.Ahead, place.Waiting) : (-1, -1);
    }

    /// <summary>A room that admits at once.</summary>
    static Room RoomOf(long eventId) => new(eventId, Rate: 1000, IsOpen: true, TimeProvider.System.GetUtcNow().UtcDateTime, null);

    static WaitingRoomGate GateOf(RedisCluster cluster, RedisServers servers) => new(cluster.Client, servers, Options.Create(new WaitingRoomOptions()));

    static (PlaceState State, int Epoch) StateOf(PlaceResult place) => (place.State, place.Epoch);

    static async Task<RedisServers> IdentifyAsync(RedisCluster cluster)
    {
        var servers = new RedisServers(cluster.Client, TimeProvider.System, NullLogger<RedisServers>.Instance);
        await servers.StartAsync(Cancelled);
        return servers;
    }
}
