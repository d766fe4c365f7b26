using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Aspire.Hosting.Testing;
using Commerce.Core;
using Commerce.Core.Consistency;
using Commerce.Core.Database;
using Commerce.Core.Events;
using Commerce.Core.Outbox;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace Commerce.Tests.Faults.Events;

/// <summary>
/// Events under faults. Each test ends with the audit, which finds one EVENT_OPEN per opening and no early opening.
/// </summary>
public sealed class EventFaultTests(CommerceStack stack) : StackTests(stack)
{
    const string Notifications = "notify-keyspace-events";
    const int ManyKeys = 60_000;

    MySqlDatabase Database => Stack.Services.GetRequiredService<MySqlDatabase>();

    [Fact]
    public async Task F29_Lost_notifications_do_not_keep_an_event_from_opening_in_time()
    {
        await Stack.RedisAsync("CONFIG", "SET", Notifications, "");
        try
        {
            await Stack.OpenInTimeAsync(await ManyAsync(10, opensIn: 1));
        }
        finally
        {
            await Stack.RedisAsync("CONFIG", "SET", Notifications, "Ex");
        }

        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task F29_Sixty_thousand_other_keys_with_a_time_to_live_make_no_event_late()
    {
        await Stack.RedisAsync("EVAL", $"for i = 1, {ManyKeys} do redis.call('SET', 'ttl:' .. i, 1, 'EX', 3600) end", 0);
        try
        {
            await Stack.OpenInTimeAsync(await ManyAsync(10, opensIn: 1));
        }
        finally
        {
            await Stack.RedisAsync("EVAL", $"for i = 1, {ManyKeys} do redis.call('DEL', 'ttl:' .. i) end", 0);
        }

        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task F29_Notifications_that_come_early_and_twenty_times_open_an_event_once_and_not_early()
    {
        using var alice = await Stack.UserAsync("alice");
        using var stream = await alice.StreamAsync();
        var scheduled = await Stack.EventAsync(opensIn: 2);
        await Eventually.EqualAsync(EventStatus.Open, async () =>
        {
            for (var i = 0; i < 20; i++) await Stack.RedisAsync("PUBLISH", "__keyevent@0__:expired", $"{{events}}:opening:{scheduled.Id}");
            return (await Stack.FindEventAsync(scheduled.Id)).Status;
        });

        var opened = await Stack.FindEventAsync(scheduled.Id);
        Assert.True(opened.OpenedAt >= opened.OpensAt);
        await stream.OpeningOfAsync(scheduled.Id);
        Assert.Equal(1, await Stack.OpeningMessagesAsync(scheduled.Id));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task F29_The_listener_alone_opens_an_event_whose_place_in_the_schedule_was_lost()
    {
        var scheduled = await Stack.EventAsync(opensIn: 3600);
        await Stack.RedisAsync("ZREM", "{events}:schedule", $"opening:{scheduled.Id}");
        await Database.ExecuteAsync("UPDATE event SET opens_at = UTC_TIMESTAMP(6) WHERE id = @Id", scheduled, Cancelled);
        await Stack.RedisAsync("PEXPIRE", $"{{events}}:opening:{scheduled.Id}", 1);
        await Stack.EventIsAsync(scheduled.Id, EventStatus.Open);
        Assert.Equal(OpenedBy.Listener, await Stack.OpenedByAsync(scheduled.Id));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task F29_A_Redis_that_forgot_everything_opens_events_in_time()
    {
        using var alice = await Stack.UserAsync("alice");
        using var stream = await alice.StreamAsync();
        var events = await ManyAsync(5, opensIn: 2);
        await Stack.RedisAsync("FLUSHALL");
        await Stack.OpenInTimeAsync(events);
        foreach (var one in events) await stream.OpeningOfAsync(one.Id);
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task F29_While_Redis_is_away_the_database_opens_events_and_clients_hear_of_them()
    {
        using var alice = await Stack.UserAsync("alice");
        using var stream = await alice.StreamAsync();
        var events = await ManyAsync(5, opensIn: 2);
        await Stack.KillAsync("redis");
        foreach (var opened in await OpenedAsync(events)) Assert.InRange(opened.OpenedAt!.Value - opened.OpensAt!.Value, TimeSpan.Zero, EventStories.MaxDelay);
        foreach (var one in events) await stream.OpeningOfAsync(one.Id);
        await Stack.StartAsync("redis");
        foreach (var one in events) await stream.OpeningOfAsync(one.Id);
        // The server has lost the notification setting.
        await Eventually.GetAsync(
            async () => (string)((RedisResult[])(await Stack.RedisAsync("CONFIG", "GET", Notifications))!)[1]!,
            flags => flags.Contains('E', StringComparison.Ordinal) && flags.AsSpan().ContainsAny('x', 'A'));

        var after = await Stack.EventAsync(opensIn: 1);
        await stream.OpeningOfAsync(after.Id);
        await CheckConsistencyAsync();
    }

    [Theory]
    [InlineData(Checkpoints.BeforeOpening, EventStatus.Pending)]
    [InlineData(Checkpoints.AfterOpening, EventStatus.Open)]
    public async Task F30_A_crash_around_the_opening_leaves_event_and_message_or_neither(string checkpoint, string statusAfterCrash)
    {
        using var alice = await Stack.UserAsync("alice");
        using var stream = await alice.StreamAsync();
        var shopper = (await Stack.UsersAsync($"f30-{checkpoint}", 1))[0];
        var coupon = await Stack.CouponAsync(total: 10);
        Stack.Arm(checkpoint);
        var scheduled = await Stack.EventAsync(opensIn: 1, couponIds: [coupon.Id]);

        await Stack.StoppedAsync("workers");

        Assert.Equal(statusAfterCrash, (await Stack.FindEventAsync(scheduled.Id)).Status);
        Assert.Equal(statusAfterCrash == EventStatus.Open ? 1 : 0, await Stack.OpeningMessagesAsync(scheduled.Id));

        await Stack.StartAsync("workers");
        await stream.OpeningOfAsync(scheduled.Id);
        Assert.Equal(1, await Stack.OpeningMessagesAsync(scheduled.Id));
        await Eventually.EqualAsync("", () => shopper.TakeAsync(coupon.Id));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task F31_Processes_whose_clocks_are_30_seconds_apart_open_an_event_once_and_in_time()
    {
        using var early = await HostAsync(TimeSpan.FromSeconds(30));
        using var late = await HostAsync(TimeSpan.FromSeconds(-30));
        var events = await ManyAsync(5, opensIn: 2);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        var openers = new[] { early, late }.Select(host => host.Services.GetRequiredService<EventOpener>()).Select(async opener =>
        {
            while (!ending.IsCancellationRequested)
            {
                try
                {
                    await opener.RunDueAsync(TimeSpan.Zero, Cancelled);
                    await opener.RunAsync([.. events.Select(e => new EventTransition(Opens: true, e.Id))], OpenedBy.Listener, Cancelled);
                }
                catch (Exception e) when (ServiceDefaults.TransientFaults.IsTransient(e))
                {
                    // Poller and listener also retry soon.
                }
            }
        }).ToList();

        // The clocks are off by half a minute.
        foreach (var opened in await OpenedAsync(events)) Assert.InRange(opened.OpenedAt!.Value - opened.OpensAt!.Value, TimeSpan.Zero, EventStories.MaxDelay);
        await ending.CancelAsync();
        await Task.WhenAll(openers);
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task F32_A_client_that_was_away_around_the_opening_gets_it_when_it_is_back()
    {
        using var alice = await Stack.UserAsync("alice");
        var before = await Stack.EventAsync(opensIn: null);
        long seen;
        using (var stream = await alice.StreamAsync())
        {
            await Stack.EventActionAsync(before.Id, "open");
            seen = (await stream.OpeningOfAsync(before.Id)).Id;
        }

        var missed = await Stack.EventAsync(opensIn: 1);
        await Stack.EventIsAsync(missed.Id, EventStatus.Open);
        using var back = await alice.StreamAsync(lastEventId: seen);
        await back.OpeningOfAsync(missed.Id);
        Assert.DoesNotContain(back.Events, e => e.EventId == before.Id);
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task F32_A_client_that_had_heard_of_nothing_yet_gets_what_it_missed_too()
    {
        using var alice = await Stack.UserAsync("alice");
        long seen;
        using (var stream = await alice.StreamAsync()) seen = stream.Ready!.Value;

        var missed = await Stack.EventAsync(opensIn: null);
        await Stack.EventActionAsync(missed.Id, "open");
        using var back = await alice.StreamAsync(lastEventId: seen);
        await back.OpeningOfAsync(missed.Id);
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task An_event_that_nobody_could_open_in_all_its_time_does_not_open_any_more()
    {
        var coupon = await Stack.CouponAsync(total: 10);
        await Stack.StopAsync("workers");
        var scheduled = await Stack.EventAsync(opensIn: 1, closesIn: 2, couponIds: [coupon.Id]);
        await Eventually.GetAsync(() => Database.SingleAsync<int>("SELECT closes_at < UTC_TIMESTAMP(6) FROM event WHERE id = @Id", scheduled, Cancelled), over => over == 1);
        await Stack.StartAsync("workers");

        await Stack.EventIsAsync(scheduled.Id, EventStatus.Closed);
        Assert.Equal(0, await Stack.OpeningMessagesAsync(scheduled.Id));
        Assert.Equal("coupon-ended", await (await Stack.UsersAsync("never-open", 1))[0].TakeAsync(coupon.Id));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task Who_dies_with_the_lock_on_an_event_does_not_make_it_late()
    {
        var schedule = Stack.Services.GetRequiredService<EventSchedule>();
        var scheduled = await Stack.EventAsync(opensIn: 2);
        var transition = new EventTransition(Opens: true, scheduled.Id);
        // The lock is taken repeatedly until the due time, and then it is never released.
        await Eventually.GetAsync(async () =>
        {
            await schedule.TryLockAsync(transition);
            return await Database.SingleAsync<int>("SELECT opens_at < UTC_TIMESTAMP(6) FROM event WHERE id = @Id", scheduled, Cancelled);
        }, due => due == 1);
        var opened = await Stack.EventIsAsync(scheduled.Id, EventStatus.Open);
        // The lock expires after half a second. If it stayed, only the recovery would open the event.
        Assert.InRange(opened.OpenedAt!.Value - opened.OpensAt!.Value, TimeSpan.Zero, EventStories.MaxDelay);
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task F32_A_client_gets_what_it_missed_although_Redis_lost_the_stream_and_the_Api_was_started_anew()
    {
        using var alice = await Stack.UserAsync("alice");
        var events = await ManyAsync(3, opensIn: null);
        await Stack.EventActionAsync(events[0].Id, "open");
        long seen;
        using (var stream = await alice.StreamAsync())
        {
            await Stack.EventActionAsync(events[1].Id, "open");
            seen = (await stream.OpeningOfAsync(events[1].Id)).Id;
        }

        await Stack.EventActionAsync(events[2].Id, "open");
        await Stack.RedisAsync("FLUSHALL");
        await Stack.KillAsync("api");
        await Stack.StartAsync("api");
        using var back = await alice.StreamAsync(lastEventId: seen);
        Assert.Equal(seen + 1, (await back.OpeningOfAsync(events[2].Id)).Id);
        Assert.Single(back.Events);
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task F33_A_client_that_does_not_read_is_dropped_and_the_others_are_on_time()
    {
        await using var replica = await ApiReplica.StartAsync(Stack, ("Events__Stream__ClientTimeout", "00:00:15"));
        using var alice = await replica.UserAsync("alice");
        using var reader = await alice.StreamAsync();
        using var deaf = await DeafClientAsync(replica.Url, alice.DefaultRequestHeaders.Authorization!.ToString());
        var name = new string('봄', 200);
        Assert.False(await IsCutAsync(deaf));

        // The loop ends when more data waits for the client than sockets and server can buffer.
        for (var i = 0; i < 20; i++)
        {
            var some = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Stack.EventAsync(opensIn: null, name: name)));
            await Task.WhenAll(some.Select(one => Stack.EventActionAsync(one.Id, "open")));
            // The other clients do not wait for the disconnection of the stalled client.
            foreach (var one in some) await reader.OpeningOfAsync(one.Id, TimeSpan.FromSeconds(12));
            // The public list has 200 events. These events would hide those of other tests.
            await Task.WhenAll(some.Select(one => Stack.EventActionAsync(one.Id, "cancel")));
        }

        await Eventually.EqualAsync(true, () => IsCutAsync(deaf));
        var last = await Stack.EventAsync(opensIn: null);
        await Stack.EventActionAsync(last.Id, "open");
        await reader.OpeningOfAsync(last.Id);
        Assert.Equal(reader.Events.Count, reader.Events.DistinctBy(e => e.Id).Count());
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task F34_Clients_on_both_replicas_get_every_opening_once_and_in_order()
    {
        await using var replica = await ApiReplica.StartAsync(Stack);
        using var here = await Stack.UserAsync("alice");
        using var there = await replica.UserAsync("bob");
        using var first = await here.StreamAsync();
        using var second = await there.StreamAsync();
        var events = await ManyAsync(30, opensIn: 2);

        var opened = await OpenedAsync(events);

        foreach (var stream in new[] { first, second })
        {
            foreach (var one in opened)
                await stream.OpeningOfAsync(one.Id);
            Assert.Equal(Enumerable.Range(0, 30).Select(i => stream.Events[0].Id + i), stream.Events.Select(e => e.Id));
        }

        await CheckConsistencyAsync();
    }

    async Task<IReadOnlyList<SaleEvent>> ManyAsync(int count, double? opensIn) =>
        await Task.WhenAll(Enumerable.Range(0, count).Select(_ => Stack.EventAsync(opensIn)));

    async Task<IReadOnlyList<SaleEvent>> OpenedAsync(IReadOnlyList<SaleEvent> events) =>
        await Task.WhenAll(events.Select(e => Stack.EventIsAsync(e.Id, EventStatus.Open)));

    new async Task CheckConsistencyAsync()
    {
        await Eventually.GetAsync(async () => (await Stack.Services.GetRequiredService<ConsistencyCheck>().RunAsync(Cancelled)).Findings.Single(f => f.Invariant == "I9"),
            finding => finding.Holds);
        await Eventually.EqualAsync(0, () => Database.SingleAsync<int>(
            $"SELECT COUNT(*) FROM {OutboxStore.Rows} WHERE o.topic = 'EVENT_OPEN' AND {OutboxStore.Status} <> 'SENT'", null, Cancelled));
    }

    /// <summary>Creates a host with the services of Core and a wrong clock.</summary>
    async Task<IHost> HostAsync(TimeSpan wrongBy)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        foreach (var name in new[] { "commerce", "redis", "kafka" })
            builder.Configuration[$"ConnectionStrings:{name}"] = await Stack.App.GetConnectionStringAsync(name);
        builder.Configuration.AddInMemoryCollection(Sandbox.Configuration(Stack.App.GetEndpoint("payment-sandbox", "http")));
        builder.Services.AddSingleton<TimeProvider>(new WrongClock(wrongBy));
        builder.AddServiceDefaults();
        builder.AddCommerceCore(commandTimeout: TimeSpan.FromSeconds(15));
        var host = builder.Build();
        await host.StartAsync(Cancelled);
        return host;
    }

    /// <summary>Requests a stream and never reads it. The receive buffer is minimal.</summary>
    static async Task<Socket> DeafClientAsync(Uri url, string authorization)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 1024 };
        await socket.ConnectAsync(url.Host, url.Port);
        await socket.SendAsync(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture,
            $"GET /api/events/stream HTTP/1.1\r\nHost: {url.Authority}\r\nAuthorization: {authorization}\r\n\r\n")));
        return socket;
    }

    /// <summary>Whether the server has closed the connection, so that no more data comes after the buffer.</summary>
    static async Task<bool> IsCutAsync(Socket socket)
    {
        var state = await File.ReadAllLinesAsync("/proc/net/tcp", Cancelled);
        var port = ((System.Net.IPEndPoint)socket.LocalEndPoint!).Port.ToString("X4", CultureInfo.InvariantCulture);
        // The state of the server's socket. 01 means established.
        return !state.Any(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, _, var remote, "01", ..] && remote.EndsWith(":" + port, StringComparison.Ordinal));
    }
}
