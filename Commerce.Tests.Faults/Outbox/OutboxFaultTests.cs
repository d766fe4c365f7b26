using System.Net;
using System.Text.Json.Nodes;
using Commerce.Core;
using Commerce.Core.Messaging;
using Commerce.Core.Outbox;
using Confluent.Kafka;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Commerce.Tests.Faults.Outbox;

/// <summary>
/// Relays that die, freeze and compete, with brokers and Redis unavailable. Committed messages arrive, in order per key.
/// </summary>
public sealed class OutboxFaultTests(CommerceStack stack) : OutboxStackTests(stack)
{
    [Fact]
    public async Task F25_A_relay_that_dies_between_produce_and_mark_sends_again_and_the_effect_is_one()
    {
        using var topic = Listen();
        Stack.Arm(Checkpoints.AfterProduce);
        var (id, _) = await WriteAsync(Key("f25"));
        await Stack.StoppedAsync("workers");
        await Stack.StartAsync("workers");

        await SentAsync(id);
        var copies = topic.Await(2);
        Assert.All(copies, m => Assert.Equal(id, MessageId.Of(m.Message.Headers)));
        // Every consumer commits the inbox row and its effect in one transaction.
        var effects = 0;
        foreach (var copy in copies)
            effects += await Database.ExecuteAsync("INSERT IGNORE INTO inbox (consumer, message_id) VALUES ('f25', @id)",
                new { id = MessageId.Of(copy.Message.Headers) }, Cancelled);
        Assert.Equal(1, effects);
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task F26_Relays_side_by_side_lose_nothing_and_send_nothing_twice()
    {
        using var topic = Listen();
        var ids = new List<string>();
        using var ended = new CancellationTokenSource();
        var others = Enumerable.Range(0, 2).Select(_ => Task.Run(() => RelayUntilAsync(ended.Token))).ToList();
        for (var i = 0; i < 20; i++) ids.AddRange((await WriteManyAsync("f26", 200)).Select(m => m.Id));
        var (last, _) = await WriteAsync(Key("f26-last"));
        await SentAsync(ids);
        await SentAsync(last);
        await ended.CancelAsync();
        await Task.WhenAll(others);

        var arrived = topic.Await(ids.Count + 1).Select(m => MessageId.Of(m.Message.Headers)).ToList();
        Assert.Equal(ids.Append(last).Order(), arrived.Order());
        // No further message arrives.
        var (end, _) = await WriteAsync(Key("f26-end"));
        Assert.Equal(ids.Count + 2, topic.IdsUntil(end).Count);
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task F27_A_relay_that_is_frozen_past_its_lease_marks_nothing_when_it_thaws()
    {
        using var topic = Listen();
        var key = Key("f27");
        string id;
        // The relay freezes while it waits for the broker's report.
        await Stack.FreezeAsync("kafka");
        try
        {
            (id, _) = await WriteAsync(key);
            await Eventually.EqualAsync(1, () => LeasesAsync(id));
            await Stack.FreezeAsync("workers");
        }
        finally
        {
            await Stack.ThawAsync("kafka");
        }

        string before;
        try
        {
            Assert.Equal(0, await CountAsync("SENT", id));
            (before, _) = await WriteAsync(key);
            // Another relay takes over after the lease.
            using var relay = NewRelay();
            await Eventually.EqualAsync(2, async () =>
            {
                await relay.DrainAsync(Cancelled);
                return await CountAsync("SENT", id, before);
            });
            // The message waits again, blocked behind another message of its key. If the frozen relay marked it, it would be sent.
            await RefuseAsync(before);
            await Database.ExecuteAsync("INSERT INTO outbox_waiting (shard, id) SELECT shard, id FROM outbox WHERE message_id = @id", new { id }, Cancelled);
        }
        finally
        {
            await Stack.ThawAsync("workers");
        }

        // The Workers run again and send later messages.
        var (later, _) = await WriteAsync(Key("f27-later"));
        await SentAsync(later);
        await Task.Delay(TimeSpan.FromSeconds(4), Cancelled);
        Assert.Equal(1, await CountAsync("PENDING", id));
        await ChangeRefusedAsync(before, "r.next_attempt_at = UTC_TIMESTAMP(6)");
        await SentAsync(id, before);
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task F27_A_mark_under_a_claim_that_was_taken_over_changes_nothing()
    {
        var store = Stack.Services.GetRequiredService<OutboxStore>();
        var key = Key("f27-stale");
        var shard = OutboxWriter.ShardOf(key);
        var claim = new OutboxClaim("stale", [shard], AnyRefused: false);
        await Eventually.EqualAsync(1, () => Database.ExecuteAsync(
            "UPDATE outbox_shard SET token = 'stale', lease_until = UTC_TIMESTAMP(6) + INTERVAL 1 HOUR WHERE shard = @shard AND lease_until <= UTC_TIMESTAMP(6)", new { shard }, Cancelled));
        var (id, _) = await WriteAsync(key);
        var rows = await store.ListDueAsync(claim, [], 10, withAge: true, Cancelled);
        Assert.Equal(id, Assert.Single(rows).MessageId);
        await Database.ExecuteAsync("UPDATE outbox_shard SET token = 'another' WHERE shard = @shard", new { shard }, Cancelled);

        Assert.Empty(await store.MarkAsync(claim, rows, [], Cancelled));

        Assert.Equal(1, await CountAsync("PENDING", id));
        Assert.Equal("another", await Database.SingleAsync<string>("SELECT token FROM outbox_shard WHERE shard = @shard", new { shard }, Cancelled));
        await Database.ExecuteAsync("UPDATE outbox_shard SET token = NULL, lease_until = UTC_TIMESTAMP(6) WHERE shard = @shard", new { shard }, Cancelled);
        await SentAsync(id);
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task F28_Rows_that_are_committed_out_of_the_order_of_their_ids_are_all_sent()
    {
        var (early, late) = (Guid.NewGuid().ToString(), "");
        await Database.ExecuteInTransactionAsync(async transaction =>
        {
            await OutboxWriter.AddAsync(transaction, new(Topic, Key("f28"), early, "{}"u8.ToArray()));
            // While this transaction is open, a transaction with a higher id commits and is sent.
            (late, _) = await WriteAsync(Key("f28"));
            await SentAsync(late);
            return 0;
        }, Cancelled);
        Stack.Services.GetRequiredService<OutboxWriter>().Wake();

        await SentAsync(early);
        Assert.True(await Database.SingleAsync<bool>(
            "SELECT (SELECT id FROM outbox WHERE message_id = @early) < (SELECT id FROM outbox WHERE message_id = @late)", new { early, late }, Cancelled));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task Messages_of_a_key_keep_their_order_while_the_broker_goes_and_comes_back_and_relays_compete()
    {
        using var topic = Listen();
        var keys = Enumerable.Range(0, 20).Select(_ => Key("order")).ToList();
        using var ended = new CancellationTokenSource();
        var other = Task.Run(() => RelayUntilAsync(ended.Token), Cancelled);
        var written = keys.ToDictionary(k => k, _ => new List<string>());
        for (var round = 0; round < 4; round++)
        {
            if (round == 1) await Stack.BrokerAwayAsync();
            if (round == 3) await Stack.BrokerBackAsync();
            foreach (var key in keys) written[key].AddRange((await WriteAsync(key, count: 5)).All);
            // The wait is longer than the message timeout.
            if (round == 2) await Task.Delay(TimeSpan.FromSeconds(6), Cancelled);
        }

        await SentAsync([.. written.Values.SelectMany(v => v)]);
        await ended.CancelAsync();
        await other;
        var (last, _) = await WriteAsync(Key("order-last"));
        await SentAsync(last);
        topic.IdsUntil(last);
        var arrived = topic.Await(401).GroupBy(m => m.Message.Key!).ToDictionary(g => g.Key, g => g.Select(m => MessageId.Of(m.Message.Headers)!).Distinct());
        Assert.All(written, w => Assert.Equal(w.Value, arrived[w.Key]));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_message_that_the_brokers_refuse_dies_and_can_be_replayed_and_its_key_goes_on()
    {
        Assert.SkipWhen(await Stack.HasMockBrokerAsync(), FaultInjection.NeedsRealBroker);
        var key = Key("dead");
        await Stack.CreateTopicAsync(SmallTopic, new() { ["max.message.bytes"] = "1000" });
        var (bad, _) = await WriteAsync(key, topic: SmallTopic, size: 2000);
        await Eventually.EqualAsync(1, () => AttemptsAsync(bad));
        await ChangeRefusedAsync(bad, "r.attempts = 8, r.next_attempt_at = UTC_TIMESTAMP(6) + INTERVAL 1 HOUR");
        var (good, _) = await WriteAsync(key);
        var (other, _) = await WriteAsync(Key("dead-other"));
        await SentAsync(other);
        await ChangeRefusedAsync(bad, "r.next_attempt_at = UTC_TIMESTAMP(6)");
        // The next attempt is the ninth. The key waits until the tenth.
        Stack.Services.GetRequiredService<OutboxWriter>().Wake();
        await Eventually.EqualAsync(9, () => AttemptsAsync(bad));
        Assert.Equal(2, await CountAsync("PENDING", good, bad));
        using (var early = await Stack.Admin.PostAsync($"/api/admin/outbox/{await IdAsync(bad)}/replay", null, Cancelled))
            await early.ShouldBeProblemAsync(HttpStatusCode.Conflict, "outbox-message-pending");
        await ChangeRefusedAsync(bad, "r.next_attempt_at = UTC_TIMESTAMP(6)");
        Stack.Services.GetRequiredService<OutboxWriter>().Wake();

        await Eventually.EqualAsync(1, () => CountAsync("DEAD", bad));
        await SentAsync(good);
        var listed = (await Stack.Admin.GetFromJsonAsync<JsonArray>("/api/admin/outbox?status=DEAD", Cancelled))!.Single(m => (string?)m!["messageId"] == bad)!;
        Assert.Equal(10, (int?)listed["attempts"]);
        Assert.NotNull((string?)listed["lastError"]);

        await Database.ExecuteAsync("UPDATE outbox SET topic = @topic WHERE message_id = @bad", new { bad, topic = Topic }, Cancelled);
        using var replay = await Stack.Admin.PostAsync($"/api/admin/outbox/{listed["id"]}/replay", null, Cancelled);
        Assert.Equal(HttpStatusCode.Accepted, replay.StatusCode);
        await SentAsync(bad);
        using (var again = await Stack.Admin.PostAsync($"/api/admin/outbox/{listed["id"]}/replay", null, Cancelled)) Assert.Equal(HttpStatusCode.Accepted, again.StatusCode);
        await SentAsync(bad);
        using var unknown = await Stack.Admin.PostAsync("/api/admin/outbox/999999999/replay", null, Cancelled);
        await unknown.ShouldBeProblemAsync(HttpStatusCode.NotFound, "outbox-message-not-found");
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task F43_Messages_of_a_topic_that_is_missing_wait_and_use_up_no_attempt_and_other_topics_go_on()
    {
        var missing = $"MISSING-{Guid.NewGuid():N}";
        var (first, all) = await WriteAsync(Key("missing"), count: 20, topic: missing);
        await Eventually.GetAsync(() => Stack.CountSaidAsync("workers", $"{missing} rejects all outbox messages"), count => count > 0);
        var (other, _) = await WriteAsync(Key("missing-other"));
        await SentAsync(other);
        Assert.Equal(all.Count, await CountAsync("PENDING", all));
        Assert.Equal(0, await AttemptsAsync(first));

        await Stack.CreateTopicAsync(missing);

        await SentAsync([.. all]);
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task F43_A_topic_that_is_gone_is_told_by_the_health_of_the_Api_and_made_again_by_the_Workers()
    {
        Assert.SkipWhen(await Stack.HasMockBrokerAsync(), FaultInjection.NeedsRealBroker);
        var partitions = Stack.Services.GetRequiredService<TopicPartitions>();
        var before = await partitions.CountAsync(Topics.EventOpen, Cancelled);
        Assert.Equal("Healthy", await Stack.HealthOfAsync("topics"));
        await Stack.StopAsync("workers");
        try
        {
            using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = Stack.Kafka }).Build();
            await admin.DeleteTopicsAsync([Topics.EventOpen, Topics.DeadLetters(Topics.EventOpen)]);
            await Eventually.EqualAsync("Degraded", () => Stack.HealthOfAsync("topics"));
        }
        finally
        {
            await Stack.StartAsync("workers");
        }

        await Eventually.EqualAsync("Healthy", () => Stack.HealthOfAsync("topics"));
        Assert.Equal(before, await partitions.CountAsync(Topics.EventOpen, Cancelled));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task While_Redis_is_away_the_relay_looks_by_itself_and_is_woken_again_later()
    {
        await Stack.KillAsync("redis");
        try
        {
            var (id, _) = await WriteAsync(Key("deaf"));
            await SentAsync(id);
        }
        finally
        {
            await Stack.StartAsync("redis");
        }

        // The relays are not woken, so they poll every 5 s.
        await Eventually.GetAsync(async () =>
        {
            var start = TimeProvider.System.GetTimestamp();
            for (var i = 0; i < 4; i++) await SentAsync((await WriteAsync(Key("woken"))).First);
            return TimeProvider.System.GetElapsedTime(start);
        }, took => took < TimeSpan.FromSeconds(13));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_producer_that_is_replaced_forgets_what_it_had_under_way_and_the_next_one_sends()
    {
        using var topic = Listen();
        using var producer = new OutboxProducer(Stack.Services.GetRequiredService<IConfiguration>(), NullLogger.Instance);
        await SendAsync("first");
        ErrorCode? stuck = null;
        await Stack.FreezeAsync("kafka");
        try
        {
            producer.Send(Row("stuck"), delivery => stuck = delivery.Error.Code);
            producer.Renew();
            // The message was not sent to the unresponsive broker, because it would have timed out there.
            Assert.NotEqual(ErrorCode.Local_MsgTimedOut, stuck);
        }
        finally
        {
            await Stack.ThawAsync("kafka");
        }

        await SendAsync("last");
        Assert.Equal("last", topic.IdsUntil("last")[^1]);
        Assert.NotEqual(ErrorCode.NoError, stuck);
        await CheckConsistencyAsync();

        static OutboxRow Row(string id) => new() { Id = 1, Shard = 0, Topic = Topic, Key = id, MessageId = id, Payload = "{}"u8.ToArray() };

        // A timeout is retried, as the relay does.
        Task SendAsync(string id) => Eventually.EqualAsync(ErrorCode.NoError, async () =>
        {
            var done = new TaskCompletionSource<ErrorCode>(TaskCreationOptions.RunContinuationsAsynchronously);
            producer.Send(Row(id), delivery => done.SetResult(delivery.Error.Code));
            return await done.Task.WaitAsync(TimeSpan.FromMinutes(1), Cancelled);
        });
    }

    /// <summary>The name of a topic that accepts only small messages.</summary>
    const string SmallTopic = "OUTBOX_TEST_SMALL";

    /// <summary>Creates an additional relay in this process.</summary>
    OutboxRelay NewRelay() => ActivatorUtilities.CreateInstance<OutboxRelay>(Stack.Services, Options.Create(new OutboxOptions()));

    async Task RelayUntilAsync(CancellationToken ended)
    {
        using var relay = NewRelay();
        while (!ended.IsCancellationRequested)
        {
            try
            {
                await relay.DrainAsync(ended);
                await Task.Delay(10, ended);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    async Task<IReadOnlyList<(string Key, string Id)>> WriteManyAsync(string name, int count)
    {
        var messages = Enumerable.Range(0, count).Select(_ => (Key: Key(name), Id: Guid.NewGuid().ToString())).ToList();
        await Database.ExecuteInTransactionAsync(async transaction =>
        {
            foreach (var (key, id) in messages) await OutboxWriter.AddAsync(transaction, new(Topic, key, id, "{}"u8.ToArray()));
            return 0;
        }, Cancelled);
        Stack.Services.GetRequiredService<OutboxWriter>().Wake();
        return messages;
    }

    Task<int> LeasesAsync(string id) => Database.SingleAsync<int>("""
        SELECT COUNT(*) FROM outbox o JOIN outbox_shard s ON s.shard = o.shard WHERE o.message_id = @id AND s.lease_until > UTC_TIMESTAMP(6)
        """, new { id }, Cancelled);

    /// <summary>Returns the number of attempts, or 0 if none was counted.</summary>
    Task<int> AttemptsAsync(string id) => Database.SingleAsync<int>(
        "SELECT r.attempts FROM outbox_refused r JOIN outbox o ON o.id = r.id WHERE o.message_id = @id", new { id }, Cancelled);

    Task<long> IdAsync(string id) => Database.SingleAsync<long>("SELECT id FROM outbox WHERE message_id = @id", new { id }, Cancelled);
}
