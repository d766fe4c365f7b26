using System.Net;
using System.Text.Json;
using Commerce.Core.Events;
using Commerce.Core.Live;

namespace Commerce.Tests.Integration.Live;

/// <summary><c>GET /api/admin/live</c>: the figures of a sale while it runs.</summary>
public sealed class LiveSaleTests(CommerceStack stack) : PaymentStackTests(stack)
{
    [Fact]
    public async Task A_viewer_sees_within_seconds_what_is_issued_ordered_held_and_paid()
    {
        var coupon = await Stack.CouponAsync(total: 5);
        var (product, other) = (await Stack.ProductAsync(stock: 10, Price), await Stack.ProductAsync(stock: 10));
        var before = await (await Stack.UsersAsync("early", 1))[0].PlaceAsync(product.Id);
        var opening = await Stack.EventAsync(opensIn: 3600, couponIds: [coupon.Id], productIds: [product.Id]);
        var pending = await ReadAsync(opening.Id, sale => sale is not null);
        Assert.Equal((EventStatus.Pending, new LiveOrders(0, 0, 0, 0)), (pending.Status, pending.Orders));
        using (await Stack.EventActionAsync(opening.Id, "open")) { }

        var users = await Stack.UsersAsync($"live-{opening.Id}", 3);
        foreach (var user in users) Assert.Equal("", await user.TakeAsync(coupon.Id));
        var paid = new Purchase(Stack.Sandbox, users[0], product, await users[0].PlaceAsync(product.Id));
        using (await paid.PrepareAsync()) { }
        await PayAsync(paid, await paid.AuthorizeAsync());
        await users[1].PlaceAsync(product.Id, quantity: 2);
        await users[2].PlaceAsync(other.Id);

        var live = await ReadAsync(opening.Id, sale => sale is { Orders: { Placed: 2, Paid: 1 } });
        Assert.Equal(EventStatus.Open, live.Status);
        Assert.Equal(new LiveOrders(2, 1, 1, Price), live.Orders);
        Assert.Equal(new LiveCoupon(coupon.Id, coupon.Name, 5, 3), Assert.Single(live.Coupons));
        // The order before the opening holds one unit.
        Assert.Equal(new LiveProduct(product.Id, product.Name, 6), Assert.Single(live.Products));
        Assert.NotNull(before);
    }

    [Fact]
    public async Task A_viewer_sees_how_many_wait_and_are_admitted()
    {
        var opening = await Stack.EventAsync(opensIn: 3600, waitingRoomRate: 5);
        var users = await Stack.UsersAsync($"live-line-{opening.Id}", 4);
        Assert.Equal(new LiveWaitingRoom(5, null, 0, 0), (await ReadAsync(opening.Id, sale => sale is not null)).WaitingRoom);
        foreach (var user in users) await user.JoinAsync(opening.Id);
        await users[3].LeaveAsync(opening.Id);
        Assert.Equal(new LiveWaitingRoom(5, 3, 0, 0), (await ReadAsync(opening.Id, sale => sale?.WaitingRoom is { Waiting: 3 })).WaitingRoom);
        using (await Stack.EventActionAsync(opening.Id, "open")) { }

        foreach (var user in users.Take(2)) await user.AdmittedAsync(opening.Id);
        await ReadAsync(opening.Id, sale => sale?.WaitingRoom is { Admitted: 2, Ordering: 2 });
        await Database.ExecuteAsync(
            "UPDATE waiting_room_admission SET expires_at = UTC_TIMESTAMP(6) WHERE event_id = @EventId AND user_id = @UserId", new { EventId = opening.Id, UserId = users[0].Id }, Cancelled);

        await ReadAsync(opening.Id, sale => sale?.WaitingRoom is { Admitted: 2, Ordering: 1 });
        Assert.Null((await ReadAsync((await Stack.EventAsync(opensIn: 3600)).Id, sale => sale is not null)).WaitingRoom);
    }

    [Fact]
    public async Task More_viewers_than_a_replica_can_have_are_refused_and_the_figures_count_that_error()
    {
        var opening = await Stack.EventAsync(opensIn: 3600);
        var errors = (await ReadAsync(opening.Id, sale => sale is not null)).Errors;
        var administrators = await Task.WhenAll(Enumerable.Range(0, 5).Select(i => Stack.UserAsync($"viewer-{i}", "ADMIN")));
        var viewers = new List<HttpResponseMessage>();
        try
        {
            foreach (var administrator in administrators)
                for (var i = 0; i < 20; i++) viewers.Add(await OpenAsync(administrator, opening.Id));
            Assert.All(viewers, v => Assert.Equal(HttpStatusCode.OK, v.StatusCode));

            using var refused = await OpenAsync(Stack.Admin, opening.Id);

            await refused.ShouldBeProblemAsync(HttpStatusCode.ServiceUnavailable, "streams-full");
        }
        finally
        {
            viewers.ForEach(v => v.Dispose());
            Array.ForEach(administrators, a => a.Dispose());
        }

        await Eventually.GetAsync(async () => await ReadAsync(opening.Id, sale => sale is not null), sale => sale.Errors > errors);
    }

    [Fact]
    public async Task The_newest_streams_of_an_administrator_replace_the_oldest()
    {
        var opening = await Stack.EventAsync(opensIn: 3600);
        using var administrator = await Stack.UserAsync("many-tabs", "ADMIN");
        using var oldest = await OpenAsync(administrator, opening.Id);
        var newer = new List<HttpResponseMessage>();
        try
        {
            for (var i = 0; i < 20; i++) newer.Add(await OpenAsync(administrator, opening.Id));

            Assert.All(newer, v => Assert.Equal(HttpStatusCode.OK, v.StatusCode));
            // Its response ends, long before the time is over.
            using var lines = new StreamReader(await oldest.Content.ReadAsStreamAsync(Cancelled));
            await lines.ReadToEndAsync(Cancelled).WaitAsync(TimeSpan.FromSeconds(10), Cancelled);
        }
        finally
        {
            newer.ForEach(v => v.Dispose());
        }
    }

    [Fact]
    public async Task Only_administrators_watch_and_only_events_that_exist()
    {
        using var member = await Stack.UserAsync("curious");
        using var forbidden = await OpenAsync(member, 1);
        await forbidden.ShouldBeProblemAsync(HttpStatusCode.Forbidden, "forbidden");
        using var unknown = await OpenAsync(Stack.Admin, long.MaxValue);
        await unknown.ShouldBeProblemAsync(HttpStatusCode.NotFound, "event-not-found");
        using var unclear = await Stack.Admin.GetAsync("/api/admin/live", Cancelled);
        await unclear.ShouldBeProblemAsync(HttpStatusCode.BadRequest, "validation");
        var opening = await Stack.EventAsync(opensIn: 3600);
        using var head = new HttpRequestMessage(HttpMethod.Head, $"/api/admin/live?eventId={opening.Id}");
        using var answer = await Stack.Admin.SendAsync(head, Cancelled);
        Assert.Equal("text/event-stream", answer.Content.Headers.ContentType?.MediaType);
    }

    static Task<HttpResponseMessage> OpenAsync(HttpClient client, long eventId) =>
        client.GetAsync($"/api/admin/live?eventId={eventId}", HttpCompletionOption.ResponseHeadersRead, Cancelled);

    /// <summary>
    /// Returns the first figures of a new stream for which the condition holds. The stream sends figures once a second.
    /// </summary>
    async Task<LiveSale> ReadAsync(long eventId, Predicate<LiveSale> holds)
    {
        using var answer = await Eventually.GetAsync(() => OpenAsync(Stack.Admin, eventId), a => a.IsSuccessStatusCode);
        using var lines = new StreamReader(await answer.Content.ReadAsStreamAsync(Cancelled));
        return await Eventually.GetAsync(async () =>
        {
            while (await lines.ReadLineAsync(Cancelled) is { } line)
                if (line.StartsWith("data: {\"eventId\"", StringComparison.Ordinal)) return JsonSerializer.Deserialize<LiveSale>(line.AsSpan("data: ".Length), JsonSerializerOptions.Web)!;
            throw new EndOfStreamException();
        }, holds);
    }
}
