using System.Collections.Concurrent;
using Commerce.Core.Consistency;
using Commerce.Core.Database;
using Commerce.Core.WaitingRoom;
using Commerce.Tests.Servers.Redis;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Faults.Topology;

/// <summary>A waiting room on a Redis Cluster whose primary dies while a crowd waits.</summary>
public sealed class WaitingRoomFailoverTests
{
    const int Shoppers = 80;

    const int AdmittedPerSecond = 5;

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact(Timeout = LongTests.Limit)]
    public async Task F46_A_crowd_is_admitted_once_each_although_the_primary_of_its_room_dies()
    {
        await using var redis = await RedisCluster.StartAsync(replicas: 1);
        await using var stack = new CommerceStack { Arguments = [$"--ConnectionStrings:redis={redis.ConnectionString}"] };
        await stack.StartAsync();
        var product = await stack.ProductAsync(stock: Shoppers);
        var sale = await stack.EventAsync(opensIn: 3600, productIds: [product.Id], waitingRoomRate: AdmittedPerSecond);
        var users = await stack.UsersAsync("failover", Shoppers);
        foreach (var user in users.Take(2)) await user.JoinAsync(sale.Id);
        using (await stack.EventActionAsync(sale.Id, "open")) { }
        var (passes, epochs, outcomes) = (new ConcurrentDictionary<string, ConcurrentDictionary<string, bool>>(), new ConcurrentDictionary<int, bool>(), new ConcurrentDictionary<string, int>());
        var waiting = users.Select(user => WaitAsync(user.Impatient)).ToList();
        await Eventually.GetAsync(() => Task.FromResult(passes.Count), count => count >= Shoppers / 4);

        await redis.KillAsync(await redis.PrimaryOfAsync(new WaitingRoomKeys(sale.Id).Room!));

        await Task.WhenAll(waiting).WaitAsync(TimeSpan.FromMinutes(3), Cancelled);
        TestContext.Current.TestOutputHelper!.WriteLine(string.Join(", ", outcomes.OrderBy(o => o.Key).Select(o => $"{o.Key} {o.Value}")));
        // Waiting users learn that their place is lost. Their next place has another epoch.
        Assert.Contains("waiting-room-place-not-found", outcomes.Keys);
        Assert.True(epochs.Count > 1, "The room was not lost.");
        // A user who was admitted before gets the same pass again.
        Assert.All(users, user => Assert.Single(passes[user.Id]));
        var database = stack.Services.GetRequiredService<MySqlDatabase>();
        Assert.Equal(Shoppers, await database.SingleAsync<int>("SELECT COUNT(*) FROM waiting_room_admission WHERE event_id = @Id", new { sale.Id }, Cancelled));
        await Eventually.EqualAsync("", async () =>
        {
            using var ordered = await users[0].OrderWithPassAsync(product.Id, passes[users[0].Id].Keys.Single());
            return await ordered.SlugAsync();
        });
        await Eventually.GetAsync(() => stack.Services.GetRequiredService<ConsistencyCheck>().RunAsync(Cancelled), report => report.Holds);

        // Joins if there is no place, and polls until everybody is admitted.
        async Task WaitAsync(Shopper user)
        {
            var joins = true;
            while (passes.Count < Shoppers || epochs.Count < 2)
            {
                try
                {
                    using var answer = joins ? await user.AskToJoinAsync(sale.Id) : await user.AskForPlaceAsync(sale.Id);
                    var slug = await answer.SlugAsync();
                    outcomes.AddOrUpdate(slug, 1, (_, count) => count + 1);
                    if (slug == "")
                    {
                        var place = (await answer.Content.ReadFromJsonAsync<WaitingRoomPlace>(Cancelled))!;
                        epochs[place.Epoch] = true;
                        if (place.Pass is { } pass) passes.GetOrAdd(user.Id, _ => new())[pass] = true;
                    }

                    joins = slug is "waiting-room-place-not-found" || (joins && slug != "");
                }
                catch (Exception e) when (e is HttpRequestException or TimeoutException)
                {
                    outcomes.AddOrUpdate("unanswered", 1, (_, count) => count + 1);
                }

                await Task.Delay(500, Cancelled);
            }
        }
    }
}
