using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using Commerce.Core;
using Commerce.Core.Coupons;
using Commerce.Core.Database;
using Commerce.Core.Messaging;
using Commerce.ServiceDefaults;
using Confluent.Kafka;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Faults.Coupons;

/// <summary>The common part of the coupons' fault tests: a sale, and the audit at its end.</summary>
public abstract class CouponFaultTests(CommerceStack stack) : StackTests(stack)
{
    protected MySqlDatabase Database => Stack.Services.GetRequiredService<MySqlDatabase>();

    protected CouponGate Gate => Stack.Services.GetRequiredService<CouponGate>();

    protected KafkaProducer Producer => Stack.Services.GetRequiredService<KafkaProducer>();

    /// <summary>
    /// Invariants I1 to I4 of docs/promises.md at rest, together with the users' responses: every user with a success has a row, and no
    /// user with a refusal has one.
    /// </summary>
    protected async Task CheckConsistencyAsync(long couponId, IReadOnlyDictionary<string, string> verdicts)
    {
        await CheckConsistencyAsync();
        var rows = (await Database.QueryAsync<string>("SELECT user_id FROM coupon_issue WHERE coupon_id = @couponId", new { couponId }, Cancelled)).ToHashSet();
        Assert.All(verdicts.Where(v => v.Value is "" or "coupon-already-issued"), v => Assert.Contains(v.Key, rows));
        Assert.All(verdicts.Where(v => v.Value is "coupon-sold-out" or "coupon-ended"), v => Assert.DoesNotContain(v.Key, rows));
    }

    protected Task<int> RowsAsync(long couponId) =>
        Database.SingleAsync<int>("SELECT COUNT(*) FROM coupon_issue WHERE coupon_id = @couponId", new { couponId }, Cancelled);

    /// <summary>Produces a message; repeats if a broker that has just returned does not acknowledge it in time.</summary>
    protected async Task ProduceAsync(string? key, byte[]? value)
    {
        for (var start = Stopwatch.GetTimestamp(); ;)
        {
            try
            {
                await Producer.ProduceAsync(Topics.CouponIssued, new Message<string?, byte[]?> { Key = key, Value = value }, Cancelled);
                return;
            }
            catch (ProduceException<string?, byte[]?> e) when (e.Error.Code == ErrorCode.Local_MsgTimedOut)
            {
                // The producer reconnects by itself.
                await Eventually.PauseAsync(start, e.Message);
            }
        }
    }
}

/// <summary>Processes that die at the worst time.</summary>
public sealed class CrashTests(CommerceStack stack) : CouponFaultTests(stack)
{
    [Fact]
    public async Task F1_An_Api_that_dies_between_gate_and_Kafka_loses_no_acceptance()
    {
        var coupon = await Stack.CouponAsync(total: 10);
        var users = new Queue<Shopper>(await Stack.UsersAsync("f1", 10));
        Stack.Arm(Checkpoints.AfterGate);

        // A user whom the gate answers in time, so that the Api reaches the checkpoint.
        var last = users.Peek();
        await Eventually.EqualAsync("unreachable", () => (last = users.Dequeue()).PressAsync(coupon.Id));
        await Stack.StoppedAsync("api");
        await Stack.StartAsync("api");

        await Eventually.EqualAsync(1, () => Database.SingleAsync<int>(
            "SELECT COUNT(*) FROM coupon_issue WHERE coupon_id = @Id AND user_id = @user", new { coupon.Id, user = last.Id }, Cancelled));
        Assert.Equal("coupon-already-issued", await last.TakeAsync(coupon.Id));
        await CheckConsistencyAsync(coupon.Id, new Dictionary<string, string> { [last.Id] = "coupon-already-issued" });
    }

    [Fact]
    public async Task F4_A_consumer_that_dies_between_commit_and_offset_has_its_effect_once()
    {
        var coupon = await Stack.CouponAsync(total: 10);
        var users = await Stack.UsersAsync("f4", 10);
        Stack.Arm(Checkpoints.AfterCommit);

        var verdicts = await users.SellAsync(coupon.Id);
        await Stack.StoppedAsync("workers");
        await Stack.StartAsync("workers");

        await CheckConsistencyAsync(coupon.Id, verdicts);
        Assert.Equal(10, await RowsAsync(coupon.Id));
    }

    [Fact]
    public async Task F35_Consumers_that_come_and_go_lose_nothing()
    {
        var coupon = await Stack.CouponAsync(total: 600);
        var users = await Stack.UsersAsync("f35", 800);

        var sale = Task.WhenAll(users.Chunk(200).Select(async (group, i) =>
        {
            await Task.Delay(TimeSpan.FromSeconds(3 * i), Cancelled);
            return await group.SellAsync(coupon.Id);
        }));
        for (var i = 0; i < 3; i++)
        {
            if (i % 2 == 0) await Stack.StopAsync("workers");
            else await Stack.KillAsync("workers");
            await Stack.StartAsync("workers");
        }

        var verdicts = (await sale).SelectMany(v => v).ToDictionary();
        await CheckConsistencyAsync(coupon.Id, verdicts);
        Assert.Equal(600, verdicts.Values.Count(v => v == ""));
        Assert.Equal(600, await RowsAsync(coupon.Id));
    }

    [Fact]
    public async Task F36_An_Api_that_is_asked_to_end_under_load_answers_all_that_it_took()
    {
        var coupon = await Stack.CouponAsync(total: 5000);
        var users = await Stack.UsersAsync("f36", 3000);
        await using var replica = await ApiReplica.StartAsync(Stack, ("Shutdown__DrainDelay", "00:00:02"));
        using var client = new HttpClient { BaseAddress = replica.Url };
        var answers = new ConcurrentDictionary<string, string>();
        var quickRefusals = new ConcurrentBag<string>();
        var enough = new TaskCompletionSource();
        var ready = true;

        var load = Parallel.ForEachAsync(users, new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (user, _) =>
        {
            // A load balancer polls readiness in the same way.
            if (!Volatile.Read(ref ready)) return;
            var asked = TimeProvider.System.GetTimestamp();
            var slug = answers[user.Id] = await (user with { Once = client }).PressAsync(coupon.Id);
            // Later failures may be timeouts of dependencies on a slow machine.
            if (slug != "" && (slug != "dependency-unavailable" || TimeProvider.System.GetElapsedTime(asked) < TimeSpan.FromSeconds(1))) quickRefusals.Add(slug);
            if (answers.Count >= 300) enough.TrySetResult();
        });
        await enough.Task;
        var ending = replica.TerminateAsync();
        while (await IsReadyAsync()) await Task.Delay(50, Cancelled);
        Volatile.Write(ref ready, false);

        Assert.InRange(await ending, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(30));
        await load;
        Assert.Empty(quickRefusals);
        await CheckConsistencyAsync(coupon.Id, answers.Where(a => a.Value == "").ToDictionary());

        async Task<bool> IsReadyAsync()
        {
            using var health = await client.GetAsync("/health", Cancelled);
            return health.IsSuccessStatusCode;
        }
    }
}

/// <summary>Kafka is unavailable, frozen, or has malformed messages.</summary>
public sealed class BrokerFaultTests(CommerceStack stack) : CouponFaultTests(stack)
{
    [Fact]
    public async Task F2_Coupons_are_issued_while_the_broker_is_away_and_none_is_lost()
    {
        var coupon = await Stack.CouponAsync(total: 900);
        var users = await Stack.UsersAsync("f2", 1200);
        // Several times every timeout for the broker, and as long as the probe interval.
        var outage = TimeSpan.FromSeconds(12);
        // Waves until the broker returns: the first meets the outage, the last is running when it returns.
        var waves = users.Chunk(120).ToArray();

        await Stack.BrokerAwayAsync();
        var sale = Task.WhenAll(waves.Select(async (wave, i) =>
        {
            await Task.Delay(outage * i / (waves.Length - 1), Cancelled);
            return await wave.SellAsync(coupon.Id);
        }));
        try
        {
            await Task.Delay(outage, Cancelled);
        }
        finally
        {
            await Stack.BrokerBackAsync();
        }

        var verdicts = (await sale).SelectMany(v => v).ToDictionary();
        Assert.Equal(900, verdicts.Values.Count(v => v == ""));
        Assert.Equal(300, verdicts.Values.Count(v => v == "coupon-sold-out"));
        await CheckConsistencyAsync(coupon.Id, verdicts);
        Assert.Equal(900, await RowsAsync(coupon.Id));
    }

    [Fact]
    public async Task F3_A_message_whose_acknowledgement_is_lost_on_the_way_gives_one_row()
    {
        var coupon = await Stack.CouponAsync(total: 50);
        var users = await Stack.UsersAsync("f3-lost", 20);
        // The first request opens the gate.
        Assert.Equal("", await users[0].TakeAsync(coupon.Id));
        await using var proxy = new KafkaProxy(Stack.Kafka);
        await using var replica = await ApiReplica.StartAsync(Stack, ("ConnectionStrings__kafka", proxy.Address));
        using var client = new HttpClient { BaseAddress = replica.Url };
        Assert.Equal("", await (users[1] with { Once = client }).TakeAsync(coupon.Id));
        var before = Written();
        proxy.LoseAcknowledgements(1);

        var verdicts = await users.Skip(2).Select(u => u with { Once = client }).SellAsync(coupon.Id);

        Assert.Equal(1, proxy.Lost);
        Assert.Equal(18, verdicts.Values.Count(v => v == ""));
        var written = Written() - before;
        Assert.True(written > 18, $"Only {written} messages: none was written twice.");
        await CheckConsistencyAsync(coupon.Id, users.ToDictionary(u => u.Id, _ => ""));
        Assert.Equal(20, await RowsAsync(coupon.Id));
    }

    [Fact]
    public async Task F3_A_message_whose_acknowledgement_comes_too_late_gives_one_row()
    {
        var coupon = await Stack.CouponAsync(total: 50);
        var users = await Stack.UsersAsync("f3", 20);
        // A frozen broker accepts bytes and acknowledges after the sender gave up, so the messages arrive twice.
        await Stack.FreezeAsync("kafka");
        ConcurrentDictionary<string, string> verdicts;
        try
        {
            verdicts = await users.SellAsync(coupon.Id);
        }
        finally
        {
            await Stack.ThawAsync("kafka");
        }

        Assert.All(verdicts.Values, v => Assert.Equal("", v));
        foreach (var user in users) await ProduceAsync(null, new CouponIssued(coupon.Id, 1, user.Id, 1).ToBytes());
        await CheckConsistencyAsync(coupon.Id, verdicts);
        Assert.Equal(20, await RowsAsync(coupon.Id));
    }

    [Fact]
    public async Task F5_Poison_goes_to_the_dead_letters_and_the_partition_moves_on()
    {
        var coupon = await Stack.CouponAsync(total: 10);
        // The same key, so the good message follows the poison in one partition.
        var key = $"f5-{coupon.Id}";
        await ProduceAsync(key, "{ not json"u8.ToArray());
        await ProduceAsync(key, """{"type":"SOMETHING_ELSE"}"""u8.ToArray());
        await ProduceAsync(key, new byte[200_000]);
        await ProduceAsync(key, null);
        await ProduceAsync(key, new CouponIssued(coupon.Id, 1, "f5-good", 1).ToBytes());

        await Eventually.EqualAsync(1, () => RowsAsync(coupon.Id));
        var letters = await Eventually.GetAsync(async () => (await DeadLettersAsync()).Where(l => (string?)l!["key"] == key).ToList(), l => l.Count >= 4);
        Assert.Equal(["EMPTY", "TOO_LARGE", "UNREADABLE", "UNREADABLE"], letters.Select(l => (string)l!["reason"]!).Distinct().Append("UNREADABLE").Order());
        Assert.All(letters, l => Assert.Equal(Topics.CouponIssued, (string?)l!["topic"]));
        await CheckConsistencyAsync(coupon.Id, new Dictionary<string, string> { ["f5-good"] = "" });
    }

    [Fact]
    public async Task A_dead_letter_can_be_sent_back()
    {
        var coupon = await Stack.CouponAsync(total: 10);
        var message = new CouponIssued(coupon.Id, 1, "replayed", 1);
        // As if its handling had failed: the message is a dead letter with its reason.
        var result = await Producer.ProduceAsync(Topics.DeadLetters(Topics.CouponIssued), new Message<string?, byte[]?>
        {
            Value = message.ToBytes(),
            Headers = new Headers { { DeadLetterHeaders.Topic, "COUPON_ISSUED"u8.ToArray() }, { DeadLetterHeaders.Reason, "HANDLER_FAILED"u8.ToArray() } },
        }, Cancelled);
        var letter = (await Eventually.GetAsync(DeadLettersAsync, l => l.Any(OfThis)))!.First(OfThis)!;

        using var answer = await Stack.Admin.PostAsync($"/api/admin/dead-letters/{letter["id"]}/replay", null, Cancelled);

        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        await Eventually.EqualAsync(1, () => RowsAsync(coupon.Id));
        await Eventually.GetAsync(DeadLettersAsync, l => l.Any(one => OfThis(one) && one!["replayedAt"] is not null));

        bool OfThis(JsonNode? l) => (string?)l!["reason"] == "HANDLER_FAILED" && (long?)l["offset"] == result.Offset.Value;
    }

    [Fact]
    public async Task An_issue_among_the_dead_letters_is_shown_as_failed_and_issued_once_it_is_sent_back()
    {
        var coupon = await Stack.CouponAsync(total: 3);
        var users = await Stack.UsersAsync("dead", 4);
        var late = users[3];
        using var owner = await Stack.UserAsync(users[0].Id);
        await Database.ExecuteAsync($"""
            CREATE TRIGGER refuse_one BEFORE INSERT ON coupon_issue FOR EACH ROW
            BEGIN IF NEW.user_id = '{users[0].Id}' THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'refused'; END IF; END
            """, null, Cancelled);
        JsonNode letter;
        try
        {
            Assert.All((await users.Take(3).SellAsync(coupon.Id)).Values, v => Assert.Contains(v, new[] { "", "coupon-already-issued" }));
            // The others of its batch are not affected.
            await Eventually.EqualAsync("FAILED", StatusAsync);
            await Eventually.EqualAsync(2, () => RowsAsync(coupon.Id));
            letter = (await Eventually.GetAsync(DeadLettersAsync, l => l.Any(OfThis))).First(OfThis)!;
            Assert.Equal(DeadLetterReasons.HandlerFailed, (string?)letter["reason"]);
        }
        finally
        {
            await Database.ExecuteAsync("DROP TRIGGER refuse_one", null, Cancelled);
        }

        // A rebuild in between does not issue the promised coupon to another user.
        await Stack.RedisAsync("FLUSHALL");
        await Eventually.GetAsync(() => Gate.InspectAsync([coupon.Id]), gates => gates[0] is { Current: true, Epoch: 2 }, TimeSpan.FromMinutes(1));
        Assert.Equal("coupon-sold-out", await late.TakeAsync(coupon.Id));
        using var answer = await Stack.Admin.PostAsync($"/api/admin/dead-letters/{letter["id"]}/replay", null, Cancelled);

        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        await Eventually.EqualAsync("ISSUED", StatusAsync);
        await CheckConsistencyAsync(coupon.Id, users.ToDictionary(u => u.Id, u => u == late ? "coupon-sold-out" : ""));

        async Task<string?> StatusAsync() => (string?)(await owner.GetFromJsonAsync<JsonObject>($"/api/coupons/{coupon.Id}/issue", Cancelled))!["status"];

        bool OfThis(JsonNode? l) => ((string?)l!["message"])?.Contains($"\"{users[0].Id}\"", StringComparison.Ordinal) is true;
    }

    [Fact]
    public async Task A_message_that_cannot_be_handled_is_counted_with_its_topic_and_reason()
    {
        var topic = $"TEST-{Guid.NewGuid():N}";
        using var letters = new CounterListener("commerce.dead_letters");
        await Stack.CreateTopicAsync(topic);
        await Stack.CreateTopicAsync(Topics.DeadLetters(topic));
        await Eventually.DoneAsync(() => Producer.ProduceAsync(topic, new Message<string?, byte[]?> { Value = [1] }, Cancelled));
        using var loop = ActivatorUtilities.CreateInstance<ConsumerLoop<byte[]>>(Stack.Services, topic, Consumers(topic), new Refusing(),
            new ConsumerLoopOptions { Retries = new() { Attempts = 2, BaseDelay = TimeSpan.FromMilliseconds(10) } });

        await loop.StartAsync(Cancelled);
        var tags = (await Eventually.GetAsync(() => Task.FromResult(letters.Counted.Where(t => t["topic"] as string == topic).ToList()), of => of.Count > 0))[0];
        await loop.StopAsync(Cancelled);

        Assert.Equal(DeadLetterReasons.HandlerFailed, tags["reason"]);
    }

    [Fact]
    public async Task A_message_of_a_batch_is_tried_as_often_as_its_topic_says_and_faults_of_the_infrastructure_use_up_no_try()
    {
        var topic = $"TEST-{Guid.NewGuid():N}";
        await Stack.CreateTopicAsync(topic);
        await Stack.CreateTopicAsync(Topics.DeadLetters(topic));
        const int Messages = 200;
        for (var i = 0; i < Messages; i++)
        {
            var value = BitConverter.GetBytes(i);
            await Eventually.DoneAsync(() => Producer.ProduceAsync(topic, new Message<string?, byte[]?> { Value = value, Key = "one partition" }, Cancelled));
        }

        var handler = new Counting(bad: [17, 150]);
        using var loop = ActivatorUtilities.CreateInstance<ConsumerLoop<byte[]>>(Stack.Services, topic, Consumers(topic), handler, new ConsumerLoopOptions
        {
            BatchSize = Messages, Linger = TimeSpan.FromSeconds(2),
            Retries = new() { Attempts = 5, BaseDelay = TimeSpan.FromMilliseconds(1) }, Faults = new() { BaseDelay = TimeSpan.FromMilliseconds(1) },
        });

        await loop.StartAsync(Cancelled);
        await Eventually.EqualAsync(Messages, () => Task.FromResult(handler.Handled.Distinct().Count() + handler.Dead.Count));
        await loop.StopAsync(Cancelled);

        Assert.Equal([17, 150], handler.Dead.Order());
        Assert.Equal(5, handler.Tries[17]);
        Assert.Equal(5, handler.Tries[150]);
        Assert.All(handler.Tries.Values, tries => Assert.InRange(tries, 1, 5));
        Assert.InRange(handler.Batches, 1, 80);
    }

    [Fact]
    public async Task A_coupon_that_cannot_be_saved_is_tried_five_times_and_its_batch_is_saved()
    {
        const int Users = 300;
        var coupon = await Stack.CouponAsync(total: Users);
        var poison = $"poison-{coupon.Id}";
        // The table of attempts uses an engine without rollback.
        await Database.ExecuteAsync("CREATE TABLE coupon_tries (id INT) ENGINE = MyISAM", null, Cancelled);
        await Database.ExecuteAsync($"""
            CREATE TRIGGER count_tries BEFORE INSERT ON coupon_issue FOR EACH ROW
            BEGIN IF NEW.user_id = '{poison}' THEN INSERT INTO coupon_tries VALUES (1); SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'refused'; END IF; END
            """, null, Cancelled);
        try
        {
            // One key and partition, so that they arrive together.
            await Task.WhenAll(Enumerable.Range(0, Users).Select(i => ProduceAsync(poison,
                new CouponIssued(coupon.Id, 1, i == Users / 2 ? poison : $"saved-{coupon.Id}-{i}", 1).ToBytes())));
            await Eventually.EqualAsync(1, () => Database.SingleAsync<int>("SELECT COUNT(*) FROM coupon_issue_failure WHERE user_id = @poison", new { poison }, Cancelled));
            await Eventually.EqualAsync(Users - 1, () => RowsAsync(coupon.Id));
            Assert.Equal(5, await Database.SingleAsync<int>("SELECT COUNT(*) FROM coupon_tries", null, Cancelled));
        }
        finally
        {
            await Database.ExecuteAsync("DROP TRIGGER count_tries", null, CancellationToken.None);
            await Database.ExecuteAsync("DROP TABLE coupon_tries", null, CancellationToken.None);
        }

        var letter = (await Eventually.GetAsync(DeadLettersAsync, l => l.Any(OfThis))).First(OfThis)!;
        using var replayed = await Stack.Admin.PostAsync($"/api/admin/dead-letters/{letter["id"]}/replay", null, Cancelled);
        await Eventually.EqualAsync(Users, () => RowsAsync(coupon.Id));

        bool OfThis(JsonNode? l) => ((string?)l!["message"])?.Contains($"\"{poison}\"", StringComparison.Ordinal) is true;
    }

    [Fact]
    public async Task F41_Coupons_issued_while_broker_and_consumer_are_away_all_arrive()
    {
        var coupon = await Stack.CouponAsync(total: 5000);
        var users = await Stack.UsersAsync("f41", 5000);
        await Stack.StopAsync("workers");
        await Stack.BrokerAwayAsync();
        ConcurrentDictionary<string, string> verdicts;
        try
        {
            verdicts = await users.SellAsync(coupon.Id);
        }
        finally
        {
            await Stack.BrokerBackAsync();
            await Stack.StartAsync("workers");
        }

        Assert.Equal(5000, verdicts.Values.Count(v => v == ""));
        await CheckConsistencyAsync(coupon.Id, verdicts);
        Assert.Equal(5000, await RowsAsync(coupon.Id));
    }

    Func<IConsumer<string?, byte[]?>> Consumers(string group) => () => Stack.Services.GetRequiredService<ConsumerFactory>().Create(group);

    /// <summary>Counts all messages that the topic has ever had.</summary>
    long Written()
    {
        using var consumer = new ConsumerBuilder<string?, byte[]?>(new ConsumerConfig
        {
            BootstrapServers = Stack.Kafka, GroupId = "count",
        }).Build();
        return Enumerable.Range(0, Stack.Services.GetRequiredService<TopicPartitions>().CountAsync(Topics.CouponIssued, Cancelled).GetAwaiter().GetResult())
            .Sum(p => consumer.QueryWatermarkOffsets(new(Topics.CouponIssued, p), TimeSpan.FromSeconds(60)).High.Value);
    }

    async Task<JsonArray> DeadLettersAsync() => (await Stack.Admin.GetFromJsonAsync<JsonArray>("/api/admin/dead-letters", Cancelled))!;
}

/// <summary>A handler for which every message is faulty.</summary>
sealed class Refusing : IMessageHandler<byte[]>
{
    public string? Read(ConsumeResult<string?, byte[]?> source, out byte[] message)
    {
        message = source.Message.Value!;
        return null;
    }

    public Task HandleAsync(IReadOnlyList<Received<byte[]>> batch, CancellationToken cancellationToken) => throw new FormatException("refused");

    public Task OnDeadLetterAsync(byte[] message, CancellationToken cancellationToken) => Task.CompletedTask;
}

/// <summary>
/// A handler that counts how often it receives each message, rejects some, and meets a transient fault at every other call.
/// </summary>
sealed class Counting(IReadOnlyList<int> bad) : IMessageHandler<byte[]>
{
    int _calls;

    public ConcurrentDictionary<int, int> Tries { get; } = new();

    public ConcurrentQueue<int> Handled { get; } = new();

    public ConcurrentQueue<int> Dead { get; } = new();

    public int Batches { get; private set; }

    public string? Read(ConsumeResult<string?, byte[]?> source, out byte[] message)
    {
        // The first message of a topic of the mock cluster is empty: it creates the topic.
        message = source.Message.Value ?? [];
        return message.Length == sizeof(int) ? null : DeadLetterReasons.Unreadable;
    }

    public Task HandleAsync(IReadOnlyList<Received<byte[]>> batch, CancellationToken cancellationToken)
    {
        if (_calls++ % 2 == 0) throw new TimeoutException("MySQL is away.");
        Batches++;
        var numbers = batch.Select(r => BitConverter.ToInt32(r.Message)).ToList();
        foreach (var number in numbers) Tries.AddOrUpdate(number, 1, (_, tries) => tries + 1);
        if (numbers.Any(bad.Contains)) throw new FormatException("refused");
        foreach (var number in numbers) Handled.Enqueue(number);
        return Task.CompletedTask;
    }

    public Task OnDeadLetterAsync(byte[] message, CancellationToken cancellationToken)
    {
        Dead.Enqueue(BitConverter.ToInt32(message));
        return Task.CompletedTask;
    }
}

/// <summary>MySQL is unavailable, frozen or read-only.</summary>
public sealed class DatabaseFaultTests(CommerceStack stack) : CouponFaultTests(stack)
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task F6_While_MySQL_is_away_the_consumer_waits_and_nothing_is_lost(bool frozen)
    {
        var coupon = await Stack.CouponAsync(total: 200);
        var users = await Stack.UsersAsync($"f6-{frozen}", 250);
        // The Api has the coupon in its cache, so the sale goes on without the database.
        Assert.Equal("", await users[0].TakeAsync(coupon.Id));
        var letters = await DeadLetterCountAsync();

        // A faulty message would be a dead letter after five attempts.
        const string LastTry = "Handling COUPON_ISSUED paused, dependency unavailable (attempt 8)";
        var before = await Stack.CountSaidAsync("workers", LastTry);

        if (frozen) await Stack.FreezeAsync("mysql");
        else await Stack.KillAsync("mysql");
        ConcurrentDictionary<string, string> verdicts;
        try
        {
            var sale = users.SellAsync(coupon.Id, TimeSpan.FromSeconds(15));
            await Eventually.GetAsync(() => Stack.CountSaidAsync("workers", LastTry), count => count > before, TimeSpan.FromMinutes(3));
            verdicts = await sale;
        }
        finally
        {
            if (frozen) await Stack.ThawAsync("mysql");
            else await Stack.StartAsync("mysql");
        }

        Assert.Contains("", verdicts.Values);
        // Users without a response retry.
        foreach (var (user, verdict) in await users.Where(u => !verdicts.ContainsKey(u.Id)).SellAsync(coupon.Id)) verdicts[user] = verdict;
        await CheckConsistencyAsync(coupon.Id, verdicts);
        Assert.Equal(200, await RowsAsync(coupon.Id));
        Assert.Equal(letters, await DeadLetterCountAsync());
    }

    [Fact]
    public async Task F7_Transactions_that_cross_are_both_committed()
    {
        var (one, two) = ((await Stack.CouponAsync(total: 10)).Id, (await Stack.CouponAsync(total: 10)).Id);
        using var bothHold = new Barrier(2);
        var attempts = 0;

        await Task.WhenAll(CrossAsync(one, two), CrossAsync(two, one));

        Assert.True(attempts > 2, "They did not cross.");
        Assert.Equal(20 + 4, await Database.SingleAsync<int>("SELECT SUM(total_quantity) FROM coupon WHERE id IN @ids", new { ids = new[] { one, two } }, Cancelled));
        await CheckConsistencyAsync();

        Task<int> CrossAsync(long first, long second) => Task.Run(() => Database.ExecuteInTransactionAsync(async transaction =>
        {
            var attempt = Interlocked.Increment(ref attempts);
            await transaction.ExecuteAsync("UPDATE coupon SET total_quantity = total_quantity + 1 WHERE id = @first", new { first });
            if (attempt <= 2) bothHold.SignalAndWait(TimeSpan.FromSeconds(30), Cancelled);
            return await transaction.ExecuteAsync("UPDATE coupon SET total_quantity = total_quantity + 1 WHERE id = @second", new { second });
        }, Cancelled));
    }

    [Fact]
    public async Task F38_A_read_only_database_is_told_quickly_and_no_acceptance_is_lost()
    {
        var coupon = await Stack.CouponAsync(total: 100);
        var users = await Stack.UsersAsync("f38", 100);
        using var admin = Stack.ImpatientAdmin();
        Assert.Equal("", await users[0].TakeAsync(coupon.Id));
        await Database.ExecuteAsync("SET GLOBAL super_read_only = ON", null, Cancelled);
        ConcurrentDictionary<string, string> verdicts;
        try
        {
            var asked = TimeProvider.System.GetTimestamp();
            using var refusal = await admin.PostAsync($"/api/admin/coupons/{coupon.Id}/cancel", null, Cancelled);
            await refusal.ShouldBeProblemAsync(HttpStatusCode.ServiceUnavailable, "dependency-unavailable");
            Assert.NotNull(refusal.Headers.RetryAfter);
            // Not after the database is writable again.
            Assert.True(TimeProvider.System.GetElapsedTime(asked) < TimeSpan.FromSeconds(30));

            verdicts = await users.SellAsync(coupon.Id);
        }
        finally
        {
            await Database.ExecuteAsync("SET GLOBAL read_only = OFF", null, CancellationToken.None);
        }

        // Kafka holds them until the database is writable again.
        await CheckConsistencyAsync(coupon.Id, verdicts);
        Assert.Equal(100, await RowsAsync(coupon.Id));
    }

    [Theory]
    [InlineData(MySqlErrors.TableFull)]
    [InlineData(MySqlErrors.DiskFull)]
    public async Task F38_Acceptances_wait_until_the_disk_has_room(int error)
    {
        var coupon = await Stack.CouponAsync(total: 50);
        var users = await Stack.UsersAsync("f38-disk", 60);
        var letters = await DeadLetterCountAsync();
        await Stack.DiskFullAsync("coupon_issue", error);
        ConcurrentDictionary<string, string> verdicts;
        try
        {
            verdicts = await users.SellAsync(coupon.Id);
            Assert.Equal(50, verdicts.Values.Count(v => v == ""));
            Assert.Equal(0, await RowsAsync(coupon.Id));
        }
        finally
        {
            await Stack.DiskHasRoomAsync();
        }

        await CheckConsistencyAsync(coupon.Id, verdicts);
        Assert.Equal(50, await RowsAsync(coupon.Id));
        Assert.Equal(letters, await DeadLetterCountAsync());
    }

    [Fact]
    public async Task F38_While_the_database_is_read_only_and_the_broker_away_nothing_is_promised()
    {
        var coupon = await Stack.CouponAsync(total: 100);
        var users = await Stack.UsersAsync("f38-both", 100);
        Assert.Equal("", await users[0].TakeAsync(coupon.Id));
        await Eventually.EqualAsync(1, () => RowsAsync(coupon.Id));
        await Database.ExecuteAsync("SET GLOBAL super_read_only = ON", null, Cancelled);
        await Stack.BrokerAwayAsync();
        try
        {
            // The first request meets the outage. Afterwards nobody waits for the broker.
            var some = new Queue<Shopper>(users.Skip(1));
            await Eventually.EqualAsync("dependency-unavailable", () => some.Dequeue().PressAsync(coupon.Id));
            var asked = TimeProvider.System.GetTimestamp();
            foreach (var user in some.Take(50))
            {
                using var request = user.Issue(coupon.Id);
                using var answer = await user.Once.SendAsync(request, Cancelled);
                await answer.ShouldBeProblemAsync(HttpStatusCode.ServiceUnavailable, "dependency-unavailable");
                Assert.NotNull(answer.Headers.RetryAfter);
            }

            // One probe per second waits for 2 s. Fifty requests would otherwise take 100 s.
            Assert.True(TimeProvider.System.GetElapsedTime(asked) < TimeSpan.FromSeconds(50));
        }
        finally
        {
            await Stack.BrokerBackAsync();
            await Database.ExecuteAsync("SET GLOBAL read_only = OFF", null, CancellationToken.None);
        }

        await CheckConsistencyAsync(coupon.Id, await users.SellAsync(coupon.Id));
        Assert.Equal(100, await RowsAsync(coupon.Id));
    }

    /// <summary>Dead letters of coupons. Poison of other tests may still be on its way to the table.</summary>
    Task<int> DeadLetterCountAsync() =>
        Database.SingleAsync<int>("SELECT COUNT(*) FROM dead_letter WHERE topic = @CouponIssued AND reason = @HandlerFailed",
            new { Topics.CouponIssued, DeadLetterReasons.HandlerFailed }, Cancelled);
}

/// <summary>Redis is killed, emptied, or reset to an older state.</summary>
public sealed class GateFaultTests(CommerceStack stack) : CouponFaultTests(stack)
{
    [Fact]
    public async Task F8_Redis_killed_in_mid_sale_is_rebuilt_without_issuing_too_many()
    {
        var coupon = await Stack.CouponAsync(total: 400);
        var users = await Stack.UsersAsync("f8", 800);

        var sale = users.SellAsync(coupon.Id);
        await Eventually.GetAsync(() => RowsAsync(coupon.Id), rows => rows > 50);
        await Stack.KillAsync("redis");
        await Stack.StartAsync("redis");

        await CheckConsistencyAsync(coupon.Id, await sale);
        Assert.Equal(400, await RowsAsync(coupon.Id));
    }

    [Fact]
    public async Task F9_Redis_emptied_under_load_issues_nothing_too_much_and_nothing_twice()
    {
        var coupon = await Stack.CouponAsync(total: 400);
        var users = await Stack.UsersAsync("f9", 800);

        var sale = users.SellAsync(coupon.Id);
        await Eventually.GetAsync(() => RowsAsync(coupon.Id), rows => rows > 50);
        await Stack.RedisAsync("FLUSHALL");

        var verdicts = await sale;
        await CheckConsistencyAsync(coupon.Id, verdicts);
        Assert.Equal(400, await RowsAsync(coupon.Id));
        // The rebuilt gate also knows the users with the coupon.
        var winner = users.First(u => verdicts.GetValueOrDefault(u.Id) == "");
        Assert.Equal("coupon-already-issued", await winner.TakeAsync(coupon.Id));
    }

    [Fact]
    public async Task F9_Redis_emptied_after_the_last_coupon_closes_the_gate_until_it_is_known_again_that_it_is_sold_out()
    {
        var coupon = await Stack.CouponAsync(total: 5);
        var users = await Stack.UsersAsync("f9-after", 400);
        var verdicts = await users.Take(50).SellAsync(coupon.Id);
        Assert.Equal(5, verdicts.Values.Count(v => v == ""));
        var losers = users.Skip(50).ToList();
        var next = 0;
        await Eventually.EqualAsync(5, () => RowsAsync(coupon.Id));

        await Stack.RedisAsync("FLUSHALL");

        // It is closed for at least 5 s.
        await Eventually.EqualAsync("gate-closed", () => losers[next++ % losers.Count].PressAsync(coupon.Id));
        await Eventually.EqualAsync("coupon-sold-out", () => losers[next++ % losers.Count].PressAsync(coupon.Id));
        await CheckConsistencyAsync(coupon.Id, verdicts);
        Assert.Equal("coupon-already-issued", await users.First(u => verdicts.GetValueOrDefault(u.Id) == "").TakeAsync(coupon.Id));
    }

    [Fact]
    public async Task F9_A_stale_copy_of_Redis_is_not_believed()
    {
        var coupon = await Stack.CouponAsync(total: 60);
        var users = await Stack.UsersAsync("f9-stale", 200);
        Assert.Equal("", await users[0].TakeAsync(coupon.Id));
        var keys = new CouponKeys(coupon.Id);
        var stale = await Stack.DumpAsync(keys.Gate, keys.Users);
        var first = await users.Take(50).SellAsync(coupon.Id);

        // A replica takes over that knows of one issue only.
        await Stack.KillAsync("redis");
        await Stack.StartAsync("redis");
        await Stack.RestoreAsync(stale);
        var second = await users.Skip(50).SellAsync(coupon.Id);

        await CheckConsistencyAsync(coupon.Id, first.Concat(second).ToDictionary());
        Assert.Equal(60, await RowsAsync(coupon.Id));
    }

    [Fact]
    public async Task F10_Flushed_scripts_are_not_noticed()
    {
        var coupon = await Stack.CouponAsync(total: 300);
        var users = await Stack.UsersAsync("f10", 600);

        var sale = users.SellAsync(coupon.Id);
        for (var i = 0; !sale.IsCompleted || i == 0; i++) await Stack.RedisAsync("SCRIPT", "FLUSH");

        var verdicts = await sale;
        Assert.Equal(300, verdicts.Values.Count(v => v == ""));
        Assert.Equal(300, verdicts.Values.Count(v => v == "coupon-sold-out"));
        await CheckConsistencyAsync(coupon.Id, verdicts);
    }

    [Fact]
    public async Task More_requests_than_may_be_under_way_are_refused_at_once_rather_than_queued()
    {
        var coupon = await Stack.CouponAsync(total: 1000);
        var users = await Stack.UsersAsync("bound", 2 * CommerceStack.MaxConcurrentIssues);
        Assert.Equal("", await users[0].TakeAsync(coupon.Id));
        await Stack.FreezeAsync("redis");
        try
        {
            // Admitted requests wait for a second. A slow machine may need longer to send all of them, and repeats them.
            await Eventually.GetAsync(async () =>
            {
                var overloaded = 0;
                foreach (var answer in await Task.WhenAll(users.Select(u => u.Once.SendAsync(u.Issue(coupon.Id), Cancelled))))
                {
                    Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
                    Assert.NotNull(answer.Headers.RetryAfter);
                    if (await answer.SlugAsync() == "overloaded") overloaded++;
                }

                Assert.InRange(overloaded, 0, CommerceStack.MaxConcurrentIssues);
                return overloaded;
            }, overloaded => overloaded > 0);
        }
        finally
        {
            await Stack.ThawAsync("redis");
        }

        await CheckConsistencyAsync(coupon.Id, await users.SellAsync(coupon.Id));
        Assert.Equal(users.Count, await RowsAsync(coupon.Id));
    }

    [Fact]
    public async Task F11_First_requests_in_parallel_load_the_stock_once()
    {
        var coupon = await Stack.CouponAsync(total: 50);
        var users = await Stack.UsersAsync("f11", 200);

        var verdicts = await users.SellAsync(coupon.Id);

        Assert.Equal(50, verdicts.Values.Count(v => v == ""));
        Assert.Equal(1, await Database.SingleAsync<int>("SELECT gate_epoch FROM coupon WHERE id = @Id", coupon, Cancelled));
        await CheckConsistencyAsync(coupon.Id, verdicts);
    }

    [Fact]
    public async Task An_acceptance_that_cannot_be_honoured_is_told_to_its_user()
    {
        var coupon = await Stack.CouponAsync(total: 1);
        var users = await Stack.UsersAsync("forced", 2);
        Assert.Equal("", await users[0].TakeAsync(coupon.Id));
        // Messages of two users are in two partitions, so the other one's may come first.
        await Eventually.EqualAsync(1, () => RowsAsync(coupon.Id));
        // Foreign code adds stock to the gate.
        await Stack.RedisAsync("HINCRBY", (string)new CouponKeys(coupon.Id).Gate!, "stock", 1);

        Assert.Equal("", await users[1].TakeAsync(coupon.Id));

        using var client = await Stack.UserAsync(users[1].Id);
        await Eventually.EqualAsync("FAILED", async () =>
            (string?)(await client.GetFromJsonAsync<JsonObject>($"/api/coupons/{coupon.Id}/issue", Cancelled))!["status"]);
        Assert.Equal(1, await RowsAsync(coupon.Id));
        await Database.ExecuteAsync("DELETE FROM coupon_issue_failure WHERE coupon_id = @Id", coupon, Cancelled);
    }
}
