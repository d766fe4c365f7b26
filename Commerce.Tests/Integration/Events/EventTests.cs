using System.Net;
using System.Text.Json.Nodes;
using Commerce.Core.Database;
using Commerce.Core.Events;
using Commerce.Tests.Faults;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Integration.Events;

/// <summary>Events open on the second, and their coupons with them.</summary>
public sealed class EventTests(CommerceStack stack) : StackTests(stack)
{
    static readonly TimeSpan InTime = TimeSpan.FromSeconds(1);

    Ledger Ledger => Stack.Services.GetRequiredService<Ledger>();

    [Fact]
    public async Task An_event_opens_at_its_time_and_its_coupons_can_be_had_from_then_on()
    {
        var coupon = await Stack.CouponAsync(total: 10);
        using var alice = await Stack.UserAsync("alice");
        var scheduled = await Stack.EventAsync(opensIn: 2, couponIds: [coupon.Id]);
        Assert.Equal(EventStatus.Pending, scheduled.Status);
        Assert.Equal([coupon.Id], scheduled.CouponIds);
        Assert.Equal("coupon-not-started", await IssueAsync(alice, coupon.Id));

        var opened = await Stack.EventIsAsync(scheduled.Id, EventStatus.Open);

        Assert.InRange(opened.Late(), TimeSpan.Zero, InTime);
        await Eventually.EqualAsync("", () => IssueAsync(alice, coupon.Id), InTime);
        Assert.Equal(1, await MessagesAsync(scheduled.Id));
        Assert.False((await Stack.RedisAsync("EXISTS", $"{{events}}:opening:{scheduled.Id}")).ToString() == "1");
    }

    [Fact]
    public async Task Redis_has_the_schedule_and_a_key_that_expires_at_the_opening()
    {
        var scheduled = await Stack.EventAsync(opensIn: 3600);
        var due = new DateTimeOffset(scheduled.OpensAt!.Value).ToUnixTimeMilliseconds();
        Assert.Equal(due, (double)await Stack.RedisAsync("ZSCORE", "{events}:schedule", $"opening:{scheduled.Id}"));
        Assert.InRange((long)await Stack.RedisAsync("PTTL", $"{{events}}:opening:{scheduled.Id}"), 3_500_000, 3_600_000);

        using var cancelled = await Stack.EventActionAsync(scheduled.Id, "cancel");

        Assert.Equal(HttpStatusCode.OK, cancelled.StatusCode);
        Assert.True((await Stack.RedisAsync("ZSCORE", "{events}:schedule", $"opening:{scheduled.Id}")).IsNull);
        Assert.Equal(0, (int)await Stack.RedisAsync("EXISTS", $"{{events}}:opening:{scheduled.Id}"));
    }

    [Fact]
    public async Task An_event_opens_at_its_newest_time_only()
    {
        var coupon = await Stack.CouponAsync(total: 10);
        using var alice = await Stack.UserAsync("alice");
        var later = await Stack.EventAsync(opensIn: 1.5, couponIds: [coupon.Id]);
        var sooner = await Stack.EventAsync(opensIn: 3600);
        // In the last moment.
        await Task.Delay(later.OpensAt!.Value - TimeProvider.System.GetUtcNow().UtcDateTime - TimeSpan.FromMilliseconds(100), Cancelled);
        var now = TimeProvider.System.GetUtcNow();
        using var postponed = await Stack.EventActionAsync(later.Id, "schedule", new { opensAt = now.AddSeconds(2) });
        using var advanced = await Stack.EventActionAsync(sooner.Id, "schedule", new { opensAt = now.AddSeconds(1) });

        // Whoever came first, the opener or the administrator: never both.
        if (postponed.StatusCode == HttpStatusCode.OK)
        {
            while (TimeProvider.System.GetUtcNow() < now.AddSeconds(1.5))
            {
                Assert.Equal("coupon-not-started", await IssueAsync(alice, coupon.Id));
                await Task.Delay(150, Cancelled);
            }
        }
        else
        {
            await postponed.ShouldBeProblemAsync(HttpStatusCode.Conflict, "event-not-schedulable");
        }

        Assert.InRange((await Stack.EventIsAsync(sooner.Id, EventStatus.Open)).Late(), TimeSpan.Zero, InTime);
        Assert.InRange((await Stack.EventIsAsync(later.Id, EventStatus.Open)).Late(), TimeSpan.Zero, InTime);
        Assert.Equal(1, await MessagesAsync(later.Id));
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

        Assert.InRange((await Stack.EventIsAsync(scheduled.Id, EventStatus.Open)).Late(), TimeSpan.Zero, InTime);
        Assert.Equal(1, await MessagesAsync(scheduled.Id));
    }

    [Fact]
    public async Task A_cancelled_event_does_not_open_and_its_coupons_are_over()
    {
        var coupon = await Stack.CouponAsync(total: 10);
        using var alice = await Stack.UserAsync("alice");
        var scheduled = await Stack.EventAsync(opensIn: 1, couponIds: [coupon.Id]);
        using var cancelled = await Stack.EventActionAsync(scheduled.Id, "cancel");
        Assert.Equal(HttpStatusCode.OK, cancelled.StatusCode);
        await Task.Delay(1500, Cancelled);

        Assert.Equal(EventStatus.Cancelled, (await Stack.FindEventAsync(scheduled.Id)).Status);
        Assert.Equal("coupon-ended", await IssueAsync(alice, coupon.Id));
        Assert.Equal(0, await MessagesAsync(scheduled.Id));
        using var opened = await Stack.EventActionAsync(scheduled.Id, "open");
        await opened.ShouldBeProblemAsync(HttpStatusCode.Conflict, "event-not-openable");
        using var scheduledAgain = await Stack.EventActionAsync(scheduled.Id, "schedule", new { opensAt = TimeProvider.System.GetUtcNow() });
        await scheduledAgain.ShouldBeProblemAsync(HttpStatusCode.Conflict, "event-not-schedulable");
    }

    [Fact]
    public async Task An_event_forced_open_by_many_at_once_opens_once()
    {
        var coupon = await Stack.CouponAsync(total: 10, startsInHours: 0.5);
        using var alice = await Stack.UserAsync("alice");
        var draft = await Stack.EventAsync(opensIn: null, couponIds: [coupon.Id]);
        Assert.Equal(EventStatus.Draft, draft.Status);

        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Stack.EventActionAsync(draft.Id, "open")));

        Assert.All(answers, a => Assert.Equal(HttpStatusCode.OK, a.StatusCode));
        Assert.Equal(1, await MessagesAsync(draft.Id));
        // Earlier than its own window says: the event decides.
        Assert.Equal("", await IssueAsync(alice, coupon.Id));
    }

    [Fact]
    public async Task An_event_closes_at_its_time_and_its_coupons_with_it()
    {
        var coupon = await Stack.CouponAsync(total: 10);
        using var alice = await Stack.UserAsync("alice");
        using var bob = await Stack.UserAsync("bob");
        var scheduled = await Stack.EventAsync(opensIn: 1, closesIn: 2.5, couponIds: [coupon.Id]);
        await Stack.EventIsAsync(scheduled.Id, EventStatus.Open);
        await Eventually.EqualAsync("", () => IssueAsync(alice, coupon.Id), InTime);

        var closed = await Stack.EventIsAsync(scheduled.Id, EventStatus.Closed);

        Assert.InRange(closed.ClosedAt!.Value - closed.ClosesAt!.Value, TimeSpan.Zero, InTime);
        await Eventually.EqualAsync("coupon-ended", () => IssueAsync(bob, coupon.Id), InTime);
        Assert.Equal("coupon-already-issued", await IssueAsync(alice, coupon.Id));
    }

    [Fact]
    public async Task A_changed_event_lets_its_coupons_go_and_takes_others()
    {
        var (first, second) = (await Stack.CouponAsync(total: 10), await Stack.CouponAsync(total: 10));
        using var alice = await Stack.UserAsync("alice");
        var scheduled = await Stack.EventAsync(opensIn: 3600, couponIds: [first.Id]);
        using var taken = await Stack.Admin.PostAsJsonAsync("/api/admin/events", new { name = "x", couponIds = new[] { first.Id } }, Cancelled);
        await taken.ShouldBeProblemAsync(HttpStatusCode.Conflict, "coupon-linked");

        using var changed = await Stack.Admin.PutAsJsonAsync($"/api/admin/events/{scheduled.Id}", new { name = "y", couponIds = new[] { second.Id }, productIds = new[] { 1 } }, Cancelled);

        var now = await changed.Content.ReadFromJsonAsync<SaleEvent>(Cancelled);
        Assert.Equal((EventStatus.Draft, "y", second.Id, 1), (now!.Status, now.Name, now.CouponIds.Single(), now.ProductIds.Single()));
        Assert.Equal("", await IssueAsync(alice, first.Id));
        Assert.Equal("coupon-not-started", await IssueAsync(alice, second.Id));
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

    static async Task<string> IssueAsync(HttpClient user, long couponId)
    {
        using var answer = await user.PostAsync($"/api/coupons/{couponId}/issue", null, Cancelled);
        return await answer.SlugAsync();
    }

    Task<int> MessagesAsync(long eventId) =>
        Ledger.SingleAsync<int>("SELECT COUNT(*) FROM outbox WHERE message_id = @id", new { id = EventOpened.IdOf(eventId) }, Cancelled);
}
