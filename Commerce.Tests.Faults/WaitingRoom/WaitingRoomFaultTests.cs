using System.Net;
using Commerce.Core.Events;
using Commerce.Core.WaitingRoom;
using Commerce.Tests.Faults.Orders;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Faults.WaitingRoom;

/// <summary>
/// A room that Redis loses starts again under a new epoch. Its places are lost, shoppers are informed, and no admission is made
/// twice.
/// </summary>
public sealed class WaitingRoomFaultTests(CommerceStack stack) : OrderFaultTests(stack)
{
    WaitingRoomRepository Repository => Stack.Services.GetRequiredService<WaitingRoomRepository>();

    WaitingRoomGate Gate => Stack.Services.GetRequiredService<WaitingRoomGate>();

    [Fact]
    public async Task When_Redis_is_emptied_places_are_forgotten_under_a_new_epoch_and_passes_are_not()
    {
        var product = await Stack.ProductAsync(stock: 10);
        var (sale, admitted, waiting) = await CrowdAsync("emptied", product.Id);
        var (pass, place) = (await admitted.JoinAsync(sale.Id), await waiting.JoinAsync(sale.Id));

        await Stack.RedisAsync("FLUSHALL");

        using (var forgotten = await waiting.AskForPlaceAsync(sale.Id)) await forgotten.ShouldBeProblemAsync(HttpStatusCode.NotFound, "waiting-room-place-not-found");
        var again = await waiting.JoinAsync(sale.Id);
        Assert.Equal((place.Epoch + 1, "WAITING"), (again.Epoch, again.Status));
        await SamePassAsync(sale, admitted, pass, place.Epoch + 1);
        Assert.Equal("", await Eventually.GetAsync(async () =>
        {
            using var ordered = await admitted.OrderWithPassAsync(product.Id, pass.Pass);
            return await ordered.SlugAsync();
        }, slug => slug is not ("gate-closed" or "dependency-unavailable")));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task While_Redis_is_away_the_answer_is_quick_and_asks_to_come_back_and_a_stale_copy_is_not_believed()
    {
        var (sale, admitted, waiting) = await CrowdAsync("away");
        var keys = new WaitingRoomKeys(sale.Id);
        var stale = await Stack.DumpAsync(keys.Room, keys.Waiting, keys.Seen);
        var (pass, place) = (await admitted.JoinAsync(sale.Id), await waiting.JoinAsync(sale.Id));

        await Stack.KillAsync("redis");
        using (var away = await waiting.Impatient.AskForPlaceAsync(sale.Id).WaitAsync(TimeSpan.FromSeconds(10), Cancelled))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, away.StatusCode);
            Assert.NotNull(away.Headers.RetryAfter);
        }

        await Stack.StartAsync("redis");
        // A replica without the admission takes over.
        await Stack.RestoreAsync(stale);
        await Eventually.EqualAsync("waiting-room-place-not-found", async () =>
        {
            using var forgotten = await waiting.AskForPlaceAsync(sale.Id);
            return await forgotten.SlugAsync();
        });

        Assert.True((await waiting.JoinAsync(sale.Id)).Epoch > place.Epoch);
        await SamePassAsync(sale, admitted, pass, null);
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task An_admission_of_a_lost_room_that_was_not_recorded_in_time_is_not_made()
    {
        var (sale, admitted, _) = await CrowdAsync("late");
        var pass = await admitted.JoinAsync(sale.Id);
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;

        // An Api was about to record the admission when Redis was lost. Meanwhile another Api opened the room again.
        await Stack.RedisAsync("FLUSHALL");
        await admitted.JoinAsync(sale.Id);

        Assert.False(await Repository.RecordAsync(sale.Id, "late", pass.Epoch, now, now.AddMinutes(5), Cancelled));
        Assert.True(await Repository.RecordAsync(sale.Id, "late", pass.Epoch + 1, now, now.AddMinutes(5), Cancelled));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_room_with_more_passes_than_Redis_takes_in_one_call_opens_with_all_of_them()
    {
        const int Passes = 530_000;
        var (id, expires) = (-1L, (TimeProvider.System.GetUtcNow().AddMinutes(5).Ticks - DateTime.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond);

        Assert.Equal(Passes, await Gate.OpenAsync(id, 1, Enumerable.Range(0, Passes).Select(i => new Admission($"u{i}", expires)).ToAsyncEnumerable()));

        Assert.Equal(new RoomState(1, IsOpening: false), await Gate.FindStateAsync(id));
        var keys = new WaitingRoomKeys(id);
        Assert.Equal(Passes, (long)await Stack.RedisAsync("ZCARD", $"{keys.Admitted}"));
        await Stack.RedisAsync("UNLINK", $"{keys.Room}", $"{keys.Admitted}");
    }

    [Fact]
    public async Task A_lost_room_gets_its_passes_back_over_several_pages_and_a_late_opening_of_it_is_replaced()
    {
        const int Passes = 12_000;
        var (sale, admitted, _) = await CrowdAsync("pages");
        var pass = await admitted.JoinAsync(sale.Id);
        await Database.ExecuteAsync($"""
            INSERT INTO waiting_room_admission (event_id, user_id, expires_at, admitted_at, epoch)
            WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {Passes})
            SELECT /*+ SET_VAR(cte_max_recursion_depth = {Passes}) */ @Event, CONCAT('page-', i), UTC_TIMESTAMP(6) + INTERVAL 5 MINUTE, UTC_TIMESTAMP(6), 1 FROM n
            """, new { Event = sale.Id }, Cancelled);

        await Stack.RedisAsync("FLUSHALL");
        await SamePassAsync(sale, admitted, pass, pass.Epoch + 1);

        var recorded = await Database.SingleAsync<int>("SELECT COUNT(*) FROM waiting_room_admission WHERE event_id = @Event", new { Event = sale.Id }, Cancelled);
        Assert.True(recorded > Passes, $"{recorded}");
        Assert.Equal(recorded, (long)await Stack.RedisAsync("ZCARD", $"{new WaitingRoomKeys(sale.Id).Admitted}"));
        // The room did not admit them, so they are above its rate.
        await Database.ExecuteAsync("DELETE FROM waiting_room_admission WHERE event_id = @Event AND user_id LIKE 'page-%'", new { Event = sale.Id }, Cancelled);
        // A process that was late opens an old epoch, which is replaced when somebody is to be admitted.
        await Stack.RedisAsync("FLUSHALL");
        await Gate.OpenAsync(sale.Id, pass.Epoch, AsyncEnumerable.Empty<Admission>());
        await admitted.AdmittedAsync(sale.Id);
        await SamePassAsync(sale, admitted, pass, pass.Epoch + 2);
    }

    [Fact]
    public async Task A_crowd_that_meets_a_lost_room_opens_it_once()
    {
        var (sale, _, waiting) = await CrowdAsync("together");
        var place = await waiting.JoinAsync(sale.Id);
        var crowd = await Stack.UsersAsync("together-crowd", 60);

        await Stack.RedisAsync("FLUSHALL");
        var joined = await Task.WhenAll(crowd.Select(user => user.JoinAsync(sale.Id)));

        Assert.Equal([place.Epoch + 1], joined.Select(p => p.Epoch).Distinct());
        Assert.Equal(60, joined.Select(p => p.Position ?? 0).Distinct().Count());
    }

    /// <summary>Creates an open event, a shopper with a pass, and a shopper with a long wait.</summary>
    async Task<(SaleEvent Sale, Shopper Admitted, Shopper Waiting)> CrowdAsync(string name, params IReadOnlyList<long> productIds)
    {
        var sale = await Stack.EventAsync(opensIn: 3600, productIds: productIds, waitingRoomRate: 1);
        using var opened = await Stack.EventActionAsync(sale.Id, "open");
        var users = await Stack.UsersAsync($"{name}-{sale.Id}", 80);
        await Eventually.EqualAsync(HttpStatusCode.OK, async () =>
        {
            using var answer = await users[0].AskToJoinAsync(sale.Id);
            return answer.StatusCode;
        });
        await users[0].AdmittedAsync(sale.Id);
        await Task.WhenAll(users.Skip(1).SkipLast(1).Select(user => user.JoinAsync(sale.Id)));
        await users[^1].JoinAsync(sale.Id);
        return (sale, users[0], users[^1]);
    }

    async Task SamePassAsync(SaleEvent sale, Shopper admitted, WaitingRoomPlace pass, int? epoch)
    {
        var again = await admitted.JoinAsync(sale.Id);
        Assert.Equal((pass.Pass, pass.PassExpiresAt), (again.Pass, again.PassExpiresAt));
        if (epoch is { } expected) Assert.Equal(expected, again.Epoch);
        Assert.Equal(1, await Database.SingleAsync<int>(
            "SELECT COUNT(*) FROM waiting_room_admission WHERE event_id = @Event AND user_id = @User", new { Event = sale.Id, User = admitted.Id }, Cancelled));
    }
}
