using System.Net;
using System.Text.Json;
using Commerce.Core.Events;

namespace Commerce.Tests.Integration.WaitingRoom;

/// <summary>
/// An event with a waiting room admits shoppers in the order of their arrival, at its rate, and sells its products only to them.
/// </summary>
public sealed class WaitingRoomTests(CommerceStack stack) : PaymentStackTests(stack)
{
    [Fact]
    public async Task A_product_of_a_waiting_room_is_sold_to_those_who_have_a_pass_of_their_own()
    {
        var product = await Stack.ProductAsync(stock: 10);
        var sale = await OpenAsync(rate: 100, product.Id);
        var users = await Stack.UsersAsync("pass", 2);

        using var without = await users[0].OrderWithPassAsync(product.Id, null);
        await without.ShouldBeProblemAsync(HttpStatusCode.Forbidden, "waiting-room-pass-required");
        Assert.Equal(
            $"Product {product.Id} is sold through the waiting room of event {sale.Id}. Join it (POST /api/events/{sale.Id}/waiting-room), ask until you are admitted, and order with its pass in the header Waiting-Room-Pass.",
            (await without.Content.ReadFromJsonAsync<JsonElement>(Cancelled)).GetProperty("detail").GetString());

        var place = await users[0].AdmittedAsync(sale.Id);
        var (key, pass) = ($"{Guid.NewGuid()}", place.Pass!);
        using (var ordered = await users[0].OrderWithPassAsync(product.Id, $"7.1.x, {pass}", key)) Assert.Equal(HttpStatusCode.Created, ordered.StatusCode);
        // A repetition is answered without a pass, which may have expired meanwhile.
        using (var repeated = await users[0].OrderWithPassAsync(product.Id, null, key)) Assert.Equal(HttpStatusCode.Created, repeated.StatusCode);

        var parts = pass.Split('.');
        foreach (var (user, wrong) in new[] { (users[1], pass), (users[0], $"{parts[0]}.{long.Parse(parts[1]) + 1}.{parts[2]}"), (users[0], pass[..^2]), (users[0], ""), (users[0], "a.b.c") })
        {
            using var refused = await user.OrderWithPassAsync(product.Id, wrong);
            await refused.ShouldBeProblemAsync(HttpStatusCode.Forbidden, "waiting-room-pass-required");
        }

        Assert.Equal(9, await Stack.AvailableAsync(product.Id));
        using var cancelled = await Stack.EventActionAsync(sale.Id, "cancel");
        await Eventually.EqualAsync(HttpStatusCode.Created, async () =>
        {
            using var answer = await users[1].OrderWithPassAsync(product.Id, null);
            return answer.StatusCode;
        });
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_waiting_room_that_was_planned_a_moment_ago_is_there()
    {
        var user = (await Stack.UsersAsync("moment", 1))[0];
        for (var i = 0; i < 3; i++)
        {
            // The list of rooms was just read, and is kept for a second.
            using (var before = await user.AskForPlaceAsync(long.MaxValue)) await before.ShouldBeProblemAsync(HttpStatusCode.NotFound, "waiting-room-not-found");
            var sale = await Stack.EventAsync(opensIn: 3600, productIds: [], waitingRoomRate: 2);

            using var joined = await user.AskToJoinAsync(sale.Id);
            Assert.Equal(HttpStatusCode.OK, joined.StatusCode);
        }
    }

    [Fact]
    public async Task Nothing_of_a_waiting_room_stays_in_Redis_without_end()
    {
        var sale = await Stack.EventAsync(opensIn: 3600, productIds: [], waitingRoomRate: 100);
        var user = (await Stack.UsersAsync("last", 1))[0];
        await user.JoinAsync(sale.Id);
        using (await Stack.EventActionAsync(sale.Id, "open")) { }
        await user.AdmittedAsync(sale.Id);

        // Nobody asks again.
        foreach (var key in new[] { "room", "admitted" })
            Assert.InRange((long)await Stack.RedisAsync("TTL", $"{{waiting:{sale.Id}}}:{key}"), 1, 172_800);
    }

    [Fact]
    public async Task Places_are_given_in_the_order_of_arrival_kept_over_requests_and_given_up_by_leaving()
    {
        var sale = await Stack.EventAsync(opensIn: 3600, productIds: [], waitingRoomRate: 2);
        var users = await Stack.UsersAsync("line", 4);
        foreach (var user in users) await user.JoinAsync(sale.Id);

        Assert.Equal<IReadOnlyList<long>>([1, 2, 3, 4], await PositionsAsync(users));
        // Before the opening nobody is admitted, and the wait includes the time until then.
        var third = await users[2].JoinAsync(sale.Id);
        Assert.InRange(third.EstimatedSeconds!.Value, 3500, 3602);
        Assert.Equal(("WAITING", 3L, 4L, 15), (third.Status, third.Position, third.Waiting, third.RetryAfter));

        await users[0].LeaveAsync(sale.Id);
        await users[0].LeaveAsync(sale.Id);
        using (var left = await users[0].AskForPlaceAsync(sale.Id)) await left.ShouldBeProblemAsync(HttpStatusCode.NotFound, "waiting-room-place-not-found");
        Assert.Equal(1, (await users[1].JoinAsync(sale.Id)).Position);
        Assert.Equal<IReadOnlyList<long>>([4, 1, 2, 3], await PositionsAsync(users));

        using (await Stack.EventActionAsync(sale.Id, "open")) { }
        foreach (var user in users) await user.AdmittedAsync(sale.Id);
        Assert.Equal(
            [users[1].Id, users[2].Id, users[3].Id, users[0].Id],
            await Database.QueryAsync<string>("SELECT user_id FROM waiting_room_admission WHERE event_id = @Id ORDER BY admitted_at", sale, Cancelled));
        await CheckConsistencyAsync();

        async Task<IReadOnlyList<long>> PositionsAsync(IEnumerable<Shopper> all)
        {
            var positions = new List<long>();
            foreach (var user in all) positions.Add((await user.JoinAsync(sale.Id)).Position!.Value);
            return positions;
        }
    }

    [Fact]
    public async Task Several_replicas_admit_a_crowd_at_the_rate_of_the_room_and_nobody_twice()
    {
        const int Rate = 10, Crowd = 50;
        var sale = await OpenAsync(Rate);
        await using var replica = await ApiReplica.StartAsync(Stack);
        using var other = new HttpClient { BaseAddress = replica.Url };
        var users = (await Stack.UsersAsync("crowd", Crowd)).Select((user, i) => i % 2 == 0 ? user : user with { Client = other }).ToList();

        var joined = await Task.WhenAll(users.Select(user => user.JoinAsync(sale.Id)));
        await Task.WhenAll(users.Select(user => user.AdmittedAsync(sale.Id)));

        Assert.Single(joined.Select(place => place.Epoch).Distinct());
        // The rate holds by Redis' clock, apart from the saved admissions of one second.
        var (rows, seconds) = await Database.SingleAsync<(long, double)>(
            "SELECT COUNT(*), TIMESTAMPDIFF(MICROSECOND, MIN(admitted_at), MAX(admitted_at)) / 1000000 FROM waiting_room_admission WHERE event_id = @Id", sale, Cancelled);
        Assert.Equal(Crowd, rows);
        Assert.True(seconds >= (Crowd - Rate) / (double)Rate, $"{rows} in {seconds} s");
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task Who_goes_without_a_word_loses_the_place_and_costs_no_admission()
    {
        var sale = await OpenAsync(rate: 1);
        await using var replica = await ApiReplica.StartAsync(Stack, ("WaitingRoom__KeepPlace", "00:00:01"));
        using var client = new HttpClient { BaseAddress = replica.Url };
        var users = (await Stack.UsersAsync("gone", 12)).Select(user => user with { Client = client }).ToList();
        foreach (var user in users) await user.JoinAsync(sale.Id);

        // The last shopper keeps polling, and the others do not.
        await users[^1].AdmittedAsync(sale.Id);

        Assert.InRange((int)await Stack.RedisAsync("ZCARD", $"{{waiting:{sale.Id}}}:admitted"), 1, 6);
        Assert.Equal(0, (int)await Stack.RedisAsync("ZCARD", $"{{waiting:{sale.Id}}}:waiting"));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_pass_ends_and_its_owner_queues_again()
    {
        var product = await Stack.ProductAsync(stock: 10);
        var sale = await OpenAsync(rate: 100, product.Id);
        await using var replica = await ApiReplica.StartAsync(Stack, ("WaitingRoom__PassLifetime", "00:00:02"));
        using var client = new HttpClient { BaseAddress = replica.Url };
        var user = (await Stack.UsersAsync("ended-pass", 1))[0] with { Client = client };
        var first = await user.AdmittedAsync(sale.Id);

        await Eventually.EqualAsync("waiting-room-pass-required", async () =>
        {
            using var answer = await user.OrderWithPassAsync(product.Id, first.Pass);
            return await answer.SlugAsync();
        });
        var second = await Eventually.GetAsync(() => user.JoinAsync(sale.Id), place => place.Pass is { } pass && pass != first.Pass);

        Assert.True(second.PassExpiresAt >= first.PassExpiresAt!.Value.AddSeconds(2));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task Only_an_event_that_is_planned_or_open_and_has_a_rate_has_a_waiting_room()
    {
        var user = (await Stack.UsersAsync("no-room", 1))[0];
        foreach (var sale in new[] { await Stack.EventAsync(opensIn: 3600), await Stack.EventAsync(opensIn: null, waitingRoomRate: 1) })
        {
            using var answer = await user.AskToJoinAsync(sale.Id);
            await answer.ShouldBeProblemAsync(HttpStatusCode.NotFound, "waiting-room-not-found");
        }

        using var wrong = await Stack.Admin.PostAsJsonAsync("/api/admin/events", new { name = "x", waitingRoomRate = 0 }, Cancelled);
        await wrong.ShouldBeProblemAsync(HttpStatusCode.BadRequest, "validation");
    }

    /// <summary>Creates an open event with a waiting room that every replica knows.</summary>
    async Task<SaleEvent> OpenAsync(int rate, params IReadOnlyList<long> productIds)
    {
        var sale = await Stack.EventAsync(opensIn: 3600, productIds: productIds, waitingRoomRate: rate);
        using var opened = await Stack.EventActionAsync(sale.Id, "open");
        // A replica reads its rooms once a second.
        var user = (await Stack.UsersAsync("first-in", 1))[0];
        await Eventually.EqualAsync(true, async () =>
        {
            using var answer = await user.AskForPlaceAsync(sale.Id);
            return await answer.SlugAsync() == "waiting-room-place-not-found";
        });
        return sale;
    }
}
