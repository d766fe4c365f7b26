using System.Net;
using System.Text.Json.Nodes;
using Commerce.Core.Database;
using Commerce.Core.Events;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Integration.Events;

/// <summary>The live stream over real sockets.</summary>
public sealed class EventStreamTests(CommerceStack stack) : StackTests(stack)
{
    [Fact]
    public async Task An_opening_does_not_wait_until_a_replica_asks_the_database()
    {
        using var alice = await Stack.UserAsync("alice");
        using var stream = await alice.StreamAsync();
        var start = TimeProvider.System.GetTimestamp();
        for (var i = 0; i < 10; i++)
        {
            var one = await Stack.EventAsync(opensIn: null);
            await Stack.EventActionAsync(one.Id, "open");
            await stream.OpeningOfAsync(one.Id);
        }

        // The replica polls every 5 s, so ten openings in sequence would take 45 s.
        Assert.True(TimeProvider.System.GetElapsedTime(start) < TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task An_opening_reaches_the_stream_as_the_contract_says()
    {
        using var alice = await Stack.UserAsync("alice");
        using var stream = await alice.StreamAsync();
        Assert.Equal("text/event-stream", stream.Head.Content.Headers.ContentType?.ToString());
        Assert.Equal("no-store", stream.Head.Headers.CacheControl?.ToString());
        Assert.Equal(["no"], stream.Head.Headers.GetValues("X-Accel-Buffering"));
        var scheduled = await Stack.EventAsync(opensIn: 1, name: "Spring sale: \"50 %\" – 봄");

        var live = await stream.OpeningOfAsync(scheduled.Id);

        var opened = await Stack.FindEventAsync(scheduled.Id);
        Assert.Equal("EVENT_OPEN", live.Type);
        var data = JsonNode.Parse(live.Data)!.AsObject();
        Assert.Equal(["eventId", "name", "openedAt"], data.Select(p => p.Key));
        Assert.Equal((opened.Name, opened.OpenedAt), ((string)data["name"]!, (DateTime)data["openedAt"]!));
    }

    [Fact]
    public async Task A_ticket_opens_one_stream()
    {
        using var alice = await Stack.UserAsync("alice");
        var ticket = await alice.PostAsJsonAsync("/api/events/ticket", new { }, Cancelled);
        var answer = await ticket.Content.ReadFromJsonAsync<JsonObject>(Cancelled);
        Assert.Equal(30, (int)answer!["expiresIn"]!);
        var query = $"?ticket={answer["ticket"]}";

        using var first = await Stack.Anonymous.StreamAsync(query);
        using var second = await Stack.Anonymous.StreamAsync(query);

        Assert.Equal(HttpStatusCode.OK, first.Head.StatusCode);
        await second.Head.ShouldBeProblemAsync(HttpStatusCode.Unauthorized, "unauthorized");
    }

    [Fact]
    public async Task A_ticket_that_waited_too_long_opens_none()
    {
        using var alice = await Stack.UserAsync("alice");
        using var answer = await alice.PostAsJsonAsync("/api/events/ticket", new { }, Cancelled);
        var ticket = (string)(await answer.Content.ReadFromJsonAsync<JsonObject>(Cancelled))!["ticket"]!;
        var key = $"{{ticket:{ticket}}}";
        Assert.InRange((long)await Stack.RedisAsync("PTTL", key), 1, 30_000);

        await Stack.RedisAsync("PEXPIRE", key, 1);
        await Eventually.EqualAsync(0, async () => (int)await Stack.RedisAsync("EXISTS", key));

        using var stream = await Stack.Anonymous.StreamAsync($"?ticket={ticket}");
        await stream.Head.ShouldBeProblemAsync(HttpStatusCode.Unauthorized, "unauthorized");
    }

    [Fact]
    public async Task Who_asks_for_tickets_again_and_again_has_to_wait()
    {
        using var alice = await Stack.UserAsync("ticket-collector");

        var answers = await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => alice.PostAsJsonAsync("/api/events/ticket", new { }, Cancelled)));

        Assert.Contains(answers, a => a.StatusCode == HttpStatusCode.OK);
        var refused = answers.Where(a => a.StatusCode != HttpStatusCode.OK).ToList();
        Assert.NotEmpty(refused);
        foreach (var one in refused) await one.ShouldBeProblemAsync(HttpStatusCode.TooManyRequests, "rate-limited");
        Assert.All(refused, one => Assert.NotNull(one.Headers.RetryAfter));
    }

    [Theory]
    [InlineData("")]
    [InlineData("?ticket=")]
    [InlineData("?ticket=0000")]
    [InlineData("?ticket=000000000000000000000000000000000000000000000000")]
    public async Task Without_a_token_or_ticket_there_is_no_stream(string query)
    {
        using var stream = await Stack.Anonymous.StreamAsync(query);
        await stream.Head.ShouldBeProblemAsync(HttpStatusCode.Unauthorized, "unauthorized");
    }

    [Fact]
    public async Task A_client_hears_only_of_the_events_that_it_asks_for()
    {
        using var alice = await Stack.UserAsync("alice");
        var (wanted, other) = (await Stack.EventAsync(opensIn: null), await Stack.EventAsync(opensIn: null));
        using var stream = await alice.StreamAsync($"?eventId={wanted.Id}&eventId=999999");
        await Stack.EventActionAsync(other.Id, "open");
        await Stack.EventActionAsync(wanted.Id, "open");
        await stream.OpeningOfAsync(wanted.Id);
        Assert.Single(stream.Events);
        using var rubbish = await alice.StreamAsync("?eventId=x");
        await rubbish.Head.ShouldBeProblemAsync(HttpStatusCode.BadRequest, "validation");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Who_comes_back_gets_what_they_missed_once_and_in_order(bool byHeader)
    {
        using var alice = await Stack.UserAsync("alice");
        var events = new List<SaleEvent>();
        for (var i = 0; i < 4; i++) events.Add(await Stack.EventAsync(opensIn: null));
        long seen;
        using (var before = await alice.StreamAsync())
        {
            await Stack.EventActionAsync(events[0].Id, "open");
            seen = (await before.OpeningOfAsync(events[0].Id)).Id;
        }

        await Stack.EventActionAsync(events[1].Id, "open");
        await Stack.EventActionAsync(events[2].Id, "open");
        using var after = byHeader ? await alice.StreamAsync(lastEventId: seen) : await alice.StreamAsync($"?lastEventId={seen}");
        await Stack.EventActionAsync(events[3].Id, "open");
        await after.OpeningOfAsync(events[3].Id);

        Assert.Equal(events.Skip(1).Select(e => e.Id), after.Events.Select(e => e.EventId));
        Assert.Equal([seen + 1, seen + 2, seen + 3], after.Events.Select(e => e.Id));
    }

    [Fact]
    public async Task Who_was_away_for_longer_than_the_feed_remembers_gets_it_from_the_database()
    {
        await using var replica = await ApiReplica.StartAsync(Stack, ("Events__Stream__BufferedOpenings", "2"));
        using var alice = await replica.UserAsync("alice");
        var events = new List<SaleEvent>();
        for (var i = 0; i < 5; i++) events.Add(await Stack.EventAsync(opensIn: null));
        foreach (var one in events) await Stack.EventActionAsync(one.Id, "open");
        using var stream = await alice.StreamAsync(lastEventId: 0);

        await stream.OpeningOfAsync(events[^1].Id);

        Assert.Equal(Enumerable.Range(1, stream.Events.Count).Select(i => (long)i), stream.Events.Select(e => e.Id));
        Assert.Equal(events.Select(e => e.Id), stream.Events.TakeLast(5).Select(e => e.EventId));
    }

    [Fact]
    public async Task Limits_per_user_and_in_all_are_kept_and_places_are_given_back()
    {
        await using var replica = await ApiReplica.StartAsync(Stack, ("Events__Stream__MaxStreams", "3"), ("Events__Stream__MaxStreamsPerUser", "2"));
        using var alice = await replica.UserAsync("alice");
        using var bob = await replica.UserAsync("bob");
        using var first = await alice.StreamAsync();
        using var second = await alice.StreamAsync();
        using var third = await bob.StreamAsync();
        using var fourth = await bob.StreamAsync();
        await fourth.Head.ShouldBeProblemAsync(HttpStatusCode.ServiceUnavailable, "streams-full");
        Assert.NotNull(fourth.Head.Headers.RetryAfter);

        first.Dispose();
        await Eventually.EqualAsync(HttpStatusCode.OK, async () =>
        {
            using var again = await alice.StreamAsync();
            return again.Head.StatusCode;
        });
    }

    [Fact]
    public async Task A_new_stream_of_a_user_replaces_the_oldest()
    {
        await using var replica = await ApiReplica.StartAsync(Stack, ("Events__Stream__MaxStreamsPerUser", "2"));
        using var alice = await replica.UserAsync("alice");
        using var bob = await replica.UserAsync("bob");
        using var other = await bob.StreamAsync();
        using var first = await alice.StreamAsync();
        using var second = await alice.StreamAsync();
        using var third = await alice.StreamAsync();

        Assert.Equal(HttpStatusCode.OK, third.Head.StatusCode);
        Assert.True(await first.Ended.WaitAsync(EventStories.MaxDelay, Cancelled));
        // The client reconnects later, because with more pages than streams each reconnect would replace another stream.
        Assert.InRange(first.Retries[^1], 30_000, 60_000);
        using var fourth = await alice.StreamAsync();
        Assert.True(await second.Ended.WaitAsync(EventStories.MaxDelay, Cancelled));
        var draft = await Stack.EventAsync(opensIn: null);
        await Stack.EventActionAsync(draft.Id, "open");
        foreach (var stream in new[] { third, fourth, other }) await stream.OpeningOfAsync(draft.Id);
    }

    [Fact]
    public async Task Who_does_not_read_keeps_nobody_out()
    {
        await using var replica = await ApiReplica.StartAsync(Stack, ("Events__Stream__MaxStreamsPerUser", "3"));
        using var alice = await replica.UserAsync("alice");
        // The client reads only the headers, like a connection with a dead peer.
        var deaf = new List<HttpResponseMessage>();
        for (var i = 0; i < 10; i++) deaf.Add(await OpenAsync(() => alice.GetAsync("/api/events/stream", HttpCompletionOption.ResponseHeadersRead, Cancelled), response => response));

        using var stream = await OpenAsync(() => alice.StreamAsync(), stream => stream.Head);
        foreach (var one in deaf) one.Dispose();

        // The headers arrive a moment before a stream counts as open. A client that opens too many streams in that moment is asked to
        // retry.
        static Task<T> OpenAsync<T>(Func<Task<T>> open, Func<T, HttpResponseMessage> headOf) where T : IDisposable =>
            Eventually.GetAsync(open, opened =>
            {
                var status = headOf(opened).StatusCode;
                Assert.True(status is HttpStatusCode.OK or HttpStatusCode.TooManyRequests, $"{status}");
                if (status != HttpStatusCode.OK) opened.Dispose();
                return status == HttpStatusCode.OK;
            });
    }

    [Theory]
    [InlineData("900000")]
    [InlineData("+1")]
    [InlineData("-1")]
    [InlineData("9223372036854775807")]
    [InlineData("99999999999999999999999")]
    [InlineData("rubbish")]
    [InlineData("봄")]
    public async Task Who_claims_to_be_ahead_starts_at_the_end(string lastEventId)
    {
        using var alice = await Stack.UserAsync("alice");
        var query = $"?lastEventId={Uri.EscapeDataString(lastEventId)}";
        long end;
        using (var plain = await alice.StreamAsync()) end = plain.Ready!.Value;
        // The position may also be one ahead of the last opening.
        using var ahead = lastEventId == "+1" ? await alice.StreamAsync(lastEventId: end + 1) : await alice.StreamAsync(query);
        Assert.Equal(end, ahead.Ready);

        var draft = await Stack.EventAsync(opensIn: null);
        await Stack.EventActionAsync(draft.Id, "open");

        Assert.Equal(end + 1, (await ahead.OpeningOfAsync(draft.Id)).Id);
    }

    [Fact]
    public async Task After_the_database_was_restored_from_a_copy_the_next_openings_are_heard()
    {
        using var alice = await Stack.UserAsync("alice");
        using var before = await alice.StreamAsync();
        var lost = await Stack.EventAsync(opensIn: null);
        await Stack.EventActionAsync(lost.Id, "open");
        var seen = (await before.OpeningOfAsync(lost.Id)).Id;

        // The backup is older than the opening.
        await Eventually.EqualAsync(true, () => Stack.Services.GetRequiredService<MySqlDatabase>().TryExecuteInTransactionAsync(async transaction =>
        {
            if (await transaction.SingleAsync<int>(
                "SELECT COUNT(*) FROM outbox_waiting w JOIN outbox o ON o.id = w.id WHERE o.message_id = @id", new { id = EventOpened.IdOf(lost.Id) }) > 0) return false;
            await transaction.ExecuteAsync("""
                DELETE FROM event WHERE id = @Id;
                DELETE FROM outbox WHERE message_id = @message;
                UPDATE event_opening SET last = last - 1
                """, new { lost.Id, message = EventOpened.IdOf(lost.Id) });
            return true;
        }, Cancelled));
        Assert.True(await before.Ended.WaitAsync(TimeSpan.FromMinutes(1), Cancelled));
        using var after = await alice.StreamAsync(lastEventId: seen);
        Assert.Equal(seen - 1, after.Ready);
        var start = TimeProvider.System.GetTimestamp();
        for (var i = 0; i < 5; i++)
        {
            var next = await Stack.EventAsync(opensIn: null);
            await Stack.EventActionAsync(next.Id, "open");
            Assert.Equal(seen + i, (await after.OpeningOfAsync(next.Id)).Id);
        }

        // Redis starts empty as well. Reading the database every 5 s would take 20 s.
        Assert.True(TimeProvider.System.GetElapsedTime(start) < TimeSpan.FromSeconds(15));
        Assert.DoesNotContain(after.Events, e => e.EventId == lost.Id);
    }

    [Fact]
    public async Task A_refusal_says_how_to_sign_in_and_a_token_counts_beside_a_ticket_that_was_used()
    {
        using var alice = await Stack.UserAsync("alice");
        using var answer = await alice.PostAsJsonAsync("/api/events/ticket", new { }, Cancelled);
        var query = $"?ticket={(await answer.Content.ReadFromJsonAsync<JsonObject>(Cancelled))!["ticket"]}";

        // HEAD does not redeem the ticket.
        using var asked = await Stack.Anonymous.SendAsync(new(HttpMethod.Head, "/api/events/stream" + query), Cancelled);
        using var byTicket = await Stack.Anonymous.StreamAsync(query);
        using var used = await Stack.Anonymous.StreamAsync(query);
        using var byToken = await alice.StreamAsync(query);

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK, HttpStatusCode.OK), (asked.StatusCode, byTicket.Head.StatusCode, byToken.Head.StatusCode));
        await used.Head.ShouldBeProblemAsync(HttpStatusCode.Unauthorized, "unauthorized");
        Assert.Equal(["Bearer"], used.Head.Headers.WwwAuthenticate.Select(a => a.Scheme));
    }

    [Theory]
    [InlineData("/api/events/stream")]
    [InlineData("/API/Events/Stream/")]
    public async Task A_quiet_stream_shows_signs_of_life_however_its_address_is_written(string address)
    {
        await using var replica = await ApiReplica.StartAsync(Stack, ("Events__Stream__Heartbeat", "00:00:01"));
        using var alice = await replica.UserAsync("alice");
        using var stream = await EventStreamReader.OpenAsync(alice, address, lastEventId: null);
        await Eventually.GetAsync(() => Task.FromResult(stream.Heartbeats), count => count >= 2);
    }

    [Fact]
    public async Task A_replica_that_ends_sends_its_clients_away_first()
    {
        await using var replica = await ApiReplica.StartAsync(Stack);
        var users = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => replica.UserAsync($"leaver-{i}")));
        var streams = await Task.WhenAll(users.Select(u => u.StreamAsync()));

        var took = await replica.TerminateAsync();

        // Streams alone would delay the shutdown for the 30 s of running requests.
        Assert.InRange(took, TimeSpan.Zero, TimeSpan.FromSeconds(25));
        Assert.All(await Task.WhenAll(streams.Select(s => s.Ended)), Assert.True);
        Assert.All(streams, s => Assert.Equal(2, s.Retries.Count));
        // The clients do not all reconnect at the same time.
        Assert.True(streams.Select(s => s.Retries[1]).Distinct().Count() > 10);
        foreach (var stream in streams) stream.Dispose();
        foreach (var user in users) user.Dispose();
    }
}
