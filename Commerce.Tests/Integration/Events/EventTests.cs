using System.Net;
using System.Text.Json.Nodes;
using Commerce.Core.Database;
using Commerce.Core.Events;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Integration.Events;

/// <summary>Events and their coupons open on time.</summary>
public sealed class EventTests(CommerceStack stack) : StackTests(stack)
{
    MySqlDatabase Database => Stack.Services.GetRequiredService<MySqlDatabase>();

    [Fact]
    public async Task An_event_opens_at_its_time_and_its_coupons_can_be_had_from_then_on()
    {
        var coupon = await Stack.CouponAsync(total: 10);
        var alice = (await Stack.UsersAsync("opens", 1))[0];
        var scheduled = await Stack.EventAsync(opensIn: 3600, couponIds: [coupon.Id]);
        Assert.Equal(EventStatus.Pending, scheduled.Status);
        Assert.Equal([coupon.Id], scheduled.CouponIds);
        Assert.Equal("coupon-not-started", await alice.TakeAsync(coupon.Id));

        await Stack.RescheduleAsync(scheduled.Id, opensIn: 1);
        await Stack.EventIsAsync(scheduled.Id, EventStatus.Open);

        await Eventually.EqualAsync("", () => alice.TakeAsync(coupon.Id));
        Assert.Equal(1, await Stack.OpeningMessagesAsync(scheduled.Id));
        await Eventually.EqualAsync(0, async () => (int)await Stack.RedisAsync("EXISTS", $"{{events}}:opening:{scheduled.Id}"));
    }

    [Fact]
    public async Task Events_do_not_wait_for_the_recovery_to_open_and_to_close()
    {
        // The recovery runs once an hour here.
        var closed = await Stack.EventIsAsync((await Stack.EventAsync(opensIn: 0.5, closesIn: 1)).Id, EventStatus.Closed);
        Assert.InRange(closed.OpenedAt!.Value - closed.OpensAt!.Value, TimeSpan.Zero, EventStories.MaxDelay);
        var closedAt = await Database.SingleAsync<DateTime>("SELECT closed_at FROM event WHERE id = @Id", closed, Cancelled);
        Assert.InRange(closedAt - closed.ClosesAt!.Value, TimeSpan.Zero, EventStories.MaxDelay);
    }

    [Fact]
    public async Task Redis_has_the_schedule_and_a_key_that_expires_at_the_opening()
    {
        var scheduled = await Stack.EventAsync(opensIn: 3600);
        var due = new DateTimeOffset(scheduled.OpensAt!.Value).ToUnixTimeMilliseconds();
        // The wait by Redis' clock equals the wait by the database's clock, and the event never opens earlier.
        await Eventually.GetAsync(
            async () => (double)await Stack.RedisAsync("ZSCORE", "{events}:schedule", $"opening:{scheduled.Id}") - due, late => late is >= 0 and < 60_000);
        Assert.InRange((long)await Stack.RedisAsync("PTTL", $"{{events}}:opening:{scheduled.Id}"), 3_000_000, 3_600_000);

        using var cancelled = await Stack.EventActionAsync(scheduled.Id, "cancel");

        Assert.Equal(HttpStatusCode.OK, cancelled.StatusCode);
        await Eventually.EqualAsync(true, async () => (await Stack.RedisAsync("ZSCORE", "{events}:schedule", $"opening:{scheduled.Id}")).IsNull);
        await Eventually.EqualAsync(0, async () => (int)await Stack.RedisAsync("EXISTS", $"{{events}}:opening:{scheduled.Id}"));
    }

    [Fact]
    public async Task An_event_opens_at_its_newest_time_only()
    {
        var coupon = await Stack.CouponAsync(total: 10);
        var alice = (await Stack.UsersAsync("newest", 1))[0];
        var later = await Stack.EventAsync(opensIn: 1.5, couponIds: [coupon.Id]);
        var sooner = await Stack.EventAsync(opensIn: 3600);
        // The change comes just before the opening.
        await EventStories.UntilAsync(later.OpensAt!.Value - TimeSpan.FromMilliseconds(100));
        var newest = TimeProvider.System.GetUtcNow().AddSeconds(2);
        using var postponed = await Stack.EventActionAsync(later.Id, "schedule", new { opensAt = newest });
        await Stack.RescheduleAsync(sooner.Id, opensIn: 1);

        // Either the opener or the administrator comes first.
        if (postponed.StatusCode == HttpStatusCode.OK)
        {
            while (true)
            {
                var slug = await alice.PressAsync(coupon.Id);
                if (TimeProvider.System.GetUtcNow() >= newest) break;
                Assert.Contains(slug, new[] { "coupon-not-started", "gate-closed", "dependency-unavailable" });
                await Task.Delay(150, Cancelled);
            }
        }
        else
        {
            await postponed.ShouldBeProblemAsync(HttpStatusCode.Conflict, "event-not-schedulable");
        }

        foreach (var one in new[] { sooner, later })
        {
            var opened = await Stack.EventIsAsync(one.Id, EventStatus.Open);
            Assert.True(opened.OpenedAt >= opened.OpensAt);
        }

        Assert.Equal(1, await Stack.OpeningMessagesAsync(later.Id));
    }

    [Fact]
    public async Task Fifty_reschedules_around_the_opening_leave_one_opening_at_the_time_that_holds()
    {
        var scheduled = await Stack.EventAsync(opensIn: 0.4);
        await Parallel.ForAsync(0, 50, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (i, token) =>
        {
            await Task.Delay(i * 15, token);
            using var answer = await Stack.EventActionAsync(scheduled.Id, "schedule", new { opensAt = TimeProvider.System.GetUtcNow().AddMilliseconds(i * 10 % 300) });
            if (!answer.IsSuccessStatusCode) await answer.ShouldBeProblemAsync(HttpStatusCode.Conflict, "event-not-schedulable");
        });

        var opened = await Stack.EventIsAsync(scheduled.Id, EventStatus.Open);
        Assert.True(opened.OpenedAt >= opened.OpensAt);
        Assert.Equal(1, await Stack.OpeningMessagesAsync(scheduled.Id));
    }

    [Fact]
    public async Task A_cancellation_around_the_opening_leaves_an_event_that_opened_and_was_told_of_or_never_did()
    {
        var events = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Stack.EventAsync(opensIn: 1)));
        await Task.WhenAll(events.Select(async (one, i) =>
        {
            await EventStories.UntilAsync(one.OpensAt!.Value + TimeSpan.FromMilliseconds(20 * (i - 10)));
            using var cancelled = await Stack.EventActionAsync(one.Id, "cancel");
            Assert.Equal(HttpStatusCode.OK, cancelled.StatusCode);
        }));

        foreach (var one in events)
        {
            await Eventually.EqualAsync(true, async () => (await Stack.RedisAsync("ZSCORE", "{events}:schedule", $"opening:{one.Id}")).IsNull);
            var after = await Stack.FindEventAsync(one.Id);
            Assert.Equal(EventStatus.Cancelled, after.Status);
            Assert.False(after.OpenedAt < after.OpensAt);
            Assert.Equal(after.OpenedAt is null ? 0 : 1, await Stack.OpeningMessagesAsync(one.Id));
        }
    }

    [Fact]
    public async Task Only_who_has_the_lock_on_a_moment_lets_go_of_it()
    {
        var schedule = Stack.Services.GetRequiredService<EventSchedule>();
        var transition = new EventTransition(Opens: true, 999_999_999);
        // The lock normally lasts for half a second. Here it lasts longer than a machine may stall.
        var token = await Eventually.GetAsync(async () =>
            await schedule.TryLockAsync(transition) is { } taken && (int)await Stack.RedisAsync("PEXPIRE", $"{{events}}:lock:{transition}", 60_000) == 1 ? taken : null, t => t is not null);

        await schedule.UnlockAsync(transition, "somebody else's");
        Assert.Null(await schedule.TryLockAsync(transition));
        await schedule.UnlockAsync(transition, token!);
        Assert.NotNull(await schedule.TryLockAsync(transition));
    }

    [Fact]
    public async Task A_cancelled_event_does_not_open_and_its_coupons_are_over()
    {
        var coupon = await Stack.CouponAsync(total: 10);
        var alice = (await Stack.UsersAsync("cancelled", 1))[0];
        var scheduled = await Stack.EventAsync(opensIn: 3600, couponIds: [coupon.Id]);
        using var cancelled = await Stack.EventActionAsync(scheduled.Id, "cancel");
        Assert.Equal(HttpStatusCode.OK, cancelled.StatusCode);

        // The due time arrives although the schedule does not know the cancellation.
        await Database.ExecuteAsync("UPDATE event SET opens_at = UTC_TIMESTAMP(6) WHERE id = @Id", scheduled, Cancelled);
        await Stack.RedisAsync("ZADD", "{events}:schedule", 1, $"opening:{scheduled.Id}");
        await Eventually.EqualAsync(true, async () => (await Stack.RedisAsync("ZSCORE", "{events}:schedule", $"opening:{scheduled.Id}")).IsNull);

        Assert.Equal(EventStatus.Cancelled, (await Stack.FindEventAsync(scheduled.Id)).Status);
        Assert.Equal("coupon-ended", await alice.TakeAsync(coupon.Id));
        Assert.Equal(0, await Stack.OpeningMessagesAsync(scheduled.Id));
        using var opened = await Stack.EventActionAsync(scheduled.Id, "open");
        await opened.ShouldBeProblemAsync(HttpStatusCode.Conflict, "event-not-openable");
        using var scheduledAgain = await Stack.EventActionAsync(scheduled.Id, "schedule", new { opensAt = TimeProvider.System.GetUtcNow() });
        await scheduledAgain.ShouldBeProblemAsync(HttpStatusCode.Conflict, "event-not-schedulable");
    }

    [Theory]
    [InlineData("cancel")]
    [InlineData("close")]
    [InlineData("cancel while open")]
    public async Task What_an_event_that_is_over_had_may_join_the_next(string end)
    {
        var coupon = await Stack.CouponAsync(total: 10);
        var product = await Stack.ProductAsync(stock: 1);
        var users = await Stack.UsersAsync("next-event", 2);
        var definition = new { name = "first", opensAt = (DateTimeOffset?)null, closesAt = (DateTimeOffset?)null, couponIds = new[] { coupon.Id }, productIds = new[] { product.Id }, waitingRoomRate = (int?)null, maxPerCustomer = (int?)null };
        var first = await CreateAsync(definition with { opensAt = end == "close" ? TimeProvider.System.GetUtcNow() : null, closesAt = end == "close" ? TimeProvider.System.GetUtcNow().AddSeconds(2) : null });
        using (var early = await Stack.Admin.PostAsJsonAsync("/api/admin/events", definition, Cancelled)) await early.ShouldBeProblemAsync(HttpStatusCode.Conflict, "coupon-linked");
        if (end == "cancel while open")
        {
            using var opened = await Stack.EventActionAsync(first.Id, "open");
            await Eventually.EqualAsync("", () => users[0].TakeAsync(coupon.Id));
        }

        if (end == "close") await Stack.EventIsAsync(first.Id, EventStatus.Closed);
        else using (await Stack.EventActionAsync(first.Id, "cancel")) { }
        await Eventually.EqualAsync("coupon-ended", () => users[1].TakeAsync(coupon.Id));

        // One of several concurrent events gets the coupon.
        var answers = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => Stack.Admin.PostAsJsonAsync("/api/admin/events", definition with { name = "next" }, Cancelled)));
        Assert.Equal(1, answers.Count(a => a.StatusCode == HttpStatusCode.Created));
        foreach (var refused in answers.Where(a => a.StatusCode != HttpStatusCode.Created)) await refused.ShouldBeProblemAsync(HttpStatusCode.Conflict, "coupon-linked");
        var next = (await answers.Single(a => a.StatusCode == HttpStatusCode.Created).Content.ReadFromJsonAsync<SaleEvent>(Cancelled))!;
        Assert.Equal((coupon.Id, product.Id), (next.CouponIds.Single(), next.ProductIds.Single()));
        await Eventually.EqualAsync("coupon-not-started", () => users[1].TakeAsync(coupon.Id));
        using (await Stack.EventActionAsync(next.Id, "open")) { }
        await Eventually.EqualAsync("", () => users[1].TakeAsync(coupon.Id));
        using (await Stack.EventActionAsync(next.Id, "cancel")) { }
        await CheckConsistencyAsync();

        async Task<SaleEvent> CreateAsync(object body)
        {
            using var answer = await Stack.Admin.PostAsJsonAsync("/api/admin/events", body, Cancelled);
            Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
            return (await answer.Content.ReadFromJsonAsync<SaleEvent>(Cancelled))!;
        }
    }

    [Fact]
    public async Task A_cancelled_coupon_joins_no_event_any_more()
    {
        var coupon = await Stack.CouponAsync(total: 10);
        var first = await Stack.EventAsync(opensIn: null, couponIds: [coupon.Id]);
        using (await Stack.Admin.PostAsync($"/api/admin/coupons/{coupon.Id}/cancel", null, Cancelled)) { }
        using (await Stack.EventActionAsync(first.Id, "cancel")) { }
        using var answer = await Stack.Admin.PostAsJsonAsync("/api/admin/events", new { name = "x", couponIds = new[] { coupon.Id } }, Cancelled);
        await answer.ShouldBeProblemAsync(HttpStatusCode.NotFound, "coupon-not-found");
    }

    [Fact]
    public async Task An_event_forced_open_by_many_at_once_opens_once()
    {
        var coupon = await Stack.CouponAsync(total: 10, startsInHours: 0.5);
        var alice = (await Stack.UsersAsync("forced", 1))[0];
        var draft = await Stack.EventAsync(opensIn: null, couponIds: [coupon.Id]);
        Assert.Equal(EventStatus.Draft, draft.Status);

        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Stack.EventActionAsync(draft.Id, "open")));

        Assert.All(answers, a => Assert.Equal(HttpStatusCode.OK, a.StatusCode));
        Assert.Equal(1, await Stack.OpeningMessagesAsync(draft.Id));
        // The coupon opens before its own window, because the event decides.
        await Eventually.EqualAsync("", () => alice.TakeAsync(coupon.Id));
    }

    [Theory]
    [InlineData(2.5)]
    public async Task An_event_closes_at_its_time_and_its_coupons_with_it(double closesIn)
    {
        var coupon = await Stack.CouponAsync(total: 100);
        var users = await Stack.UsersAsync($"closes-{coupon.Id}", 100);
        var scheduled = await Stack.EventAsync(opensIn: 1, closesIn, couponIds: [coupon.Id]);
        var answer = await Eventually.GetAsync(() => users[0].TakeAsync(coupon.Id), slug => slug is "" or "coupon-ended");

        var closed = await Stack.EventIsAsync(scheduled.Id, EventStatus.Closed);

        Assert.True(closed.ClosedAt >= closed.ClosesAt);
        // The gate follows the database within a second. Each attempt uses a new user, who may get the last coupon.
        var next = 1;
        await Eventually.EqualAsync("coupon-ended", () => users[next++].TakeAsync(coupon.Id));
        // The user was late on a slow machine, so the test is repeated with more time.
        if (answer != "") await An_event_closes_at_its_time_and_its_coupons_with_it(closesIn * 4);
        else await Eventually.EqualAsync("coupon-already-issued", () => users[0].TakeAsync(coupon.Id));
    }

    [Fact]
    public async Task A_changed_event_lets_its_coupons_go_and_takes_others()
    {
        var (first, second) = (await Stack.CouponAsync(total: 10), await Stack.CouponAsync(total: 10));
        var alice = (await Stack.UsersAsync("changed", 1))[0];
        var scheduled = await Stack.EventAsync(opensIn: 3600, couponIds: [first.Id]);
        using var taken = await Stack.Admin.PostAsJsonAsync("/api/admin/events", new { name = "x", couponIds = new[] { first.Id } }, Cancelled);
        await taken.ShouldBeProblemAsync(HttpStatusCode.Conflict, "coupon-linked");

        using var changed = await Stack.Admin.PutAsJsonAsync($"/api/admin/events/{scheduled.Id}", new
        {
            name = "y", opensAt = (DateTimeOffset?)null, closesAt = (DateTimeOffset?)null, couponIds = new[] { second.Id }, productIds = new[] { 1 }, waitingRoomRate = (int?)null, maxPerCustomer = (int?)null,
        }, Cancelled);

        var now = await changed.Content.ReadFromJsonAsync<SaleEvent>(Cancelled);
        Assert.Equal((EventStatus.Draft, "y", second.Id, 1), (now!.Status, now.Name, now.CouponIds.Single(), now.ProductIds.Single()));
        await Eventually.EqualAsync("", () => alice.TakeAsync(first.Id));
        await Eventually.EqualAsync("coupon-not-started", () => alice.TakeAsync(second.Id));
    }

    [Fact]
    public async Task Drafts_are_shown_to_administrators_only()
    {
        var draft = await Stack.EventAsync(opensIn: null);
        using var hidden = await Stack.Anonymous.GetAsync($"/api/events/{draft.Id}", Cancelled);
        await hidden.ShouldBeProblemAsync(HttpStatusCode.NotFound, "event-not-found");
        Assert.DoesNotContain((await Stack.Anonymous.GetFromJsonAsync<JsonArray>("/api/events", Cancelled))!, e => (long)e!["id"]! == draft.Id);
        Assert.Contains((await Stack.Admin.GetFromJsonAsync<JsonArray>("/api/admin/events", Cancelled))!, e => (long)e!["id"]! == draft.Id);
    }

    [Theory]
    [InlineData("""{"name":"","opensAt":"2026-01-02T00:00:00Z","closesAt":"2026-01-01T00:00:00Z","couponIds":[0],"productIds":[1,1]}""", "name", "closesAt", "couponIds", "productIds")]
    [InlineData("""{"name":"x","opensAt":"0001-01-01T00:00:00Z"}""", "opensAt")]
    public async Task An_event_that_makes_no_sense_is_refused_by_field(string body, params string[] fields)
    {
        using var answer = await Stack.Admin.PostAsync("/api/admin/events", new StringContent(body, System.Text.Encoding.UTF8, "application/json"), Cancelled);
        await answer.ShouldBeProblemAsync(HttpStatusCode.BadRequest, "validation");
        var errors = (await answer.Content.ReadFromJsonAsync<JsonObject>(Cancelled))!["errors"]!.AsObject();
        Assert.Equal(fields.Order(), errors.Select(e => e.Key).Order());
    }

    [Fact]
    public async Task An_event_is_not_postponed_past_its_own_end_unless_that_is_postponed_too()
    {
        var scheduled = await Stack.EventAsync(opensIn: 3600, closesIn: 7200);
        var (opensAt, closesAt) = (TimeProvider.System.GetUtcNow().AddHours(3), TimeProvider.System.GetUtcNow().AddHours(4));
        using var refused = await Stack.EventActionAsync(scheduled.Id, "schedule", new { opensAt });
        await refused.ShouldBeProblemAsync(HttpStatusCode.Conflict, "event-closes-too-early");
        Assert.Equal(scheduled.OpensAt, (await Stack.FindEventAsync(scheduled.Id)).OpensAt);

        using var postponed = await Stack.EventActionAsync(scheduled.Id, "schedule", new { opensAt, closesAt });

        Assert.Equal(HttpStatusCode.OK, postponed.StatusCode);
    }

    [Fact]
    public async Task What_is_not_there_is_not_found_and_members_may_not_administer()
    {
        using var schedule = await Stack.EventActionAsync(999_999_999, "schedule", new { opensAt = TimeProvider.System.GetUtcNow() });
        await schedule.ShouldBeProblemAsync(HttpStatusCode.NotFound, "event-not-found");
        using var open = await Stack.EventActionAsync(999_999_999, "open");
        await open.ShouldBeProblemAsync(HttpStatusCode.NotFound, "event-not-found");
        using var coupon = await Stack.Admin.PostAsJsonAsync("/api/admin/events", new { name = "x", couponIds = new[] { 999_999_999 } }, Cancelled);
        await coupon.ShouldBeProblemAsync(HttpStatusCode.NotFound, "coupon-not-found");
        using var product = await Stack.Admin.PostAsJsonAsync("/api/admin/events", new { name = "x", productIds = new[] { 999_999_999 } }, Cancelled);
        await product.ShouldBeProblemAsync(HttpStatusCode.NotFound, "product-not-found");
        using var alice = await Stack.UserAsync("alice");
        using var forbidden = await alice.PostAsJsonAsync("/api/admin/events", new { name = "x" }, Cancelled);
        await forbidden.ShouldBeProblemAsync(HttpStatusCode.Forbidden, "forbidden");
    }
}
