using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Commerce.Core.Database;
using Commerce.Core.Messaging;
using Commerce.Core.Outbox;
using Confluent.Kafka;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Bench;

/// <summary>
/// Measures the rate of the Workers' relays, compared with a program that only reads the same rows and produces them.
/// </summary>
sealed class OutboxBench(BenchStack stack, bool quick, Figures figures)
{
    const int Rounds = 5;
    const int BatchSize = 5000;
    const string Topic = BenchStack.Topic;

    /// <summary>The time between two transactions of the latency part, in ms.</summary>
    const int Gap = 10;

    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    static readonly byte[] Payload = JsonSerializer.SerializeToUtf8Bytes(new
    {
        type = "ORDER_PLACED", orderId = Guid.CreateVersion7(), userId = "user-12345", paidAt = "2026-01-01T00:00:00Z",
        items = new[] { new { productId = 1, quantity = 2 }, new { productId = 2, quantity = 1 } },
    });

    /// <summary>
    /// The producer for comparison. It has the same guarantees per message as the relay's producer, and minimal reports.
    /// </summary>
    readonly IProducer<string, byte[]> _raw = new ProducerBuilder<string, byte[]>(new ProducerConfig
    {
        BootstrapServers = stack.Kafka, EnableIdempotence = true, Acks = Acks.All, LingerMs = 1, SocketNagleDisable = true,
        DeliveryReportFields = "none",
    }).Build();

    readonly int _rows = quick ? 10_000 : 50_000;

    MySqlDatabase Database => stack.Services.GetRequiredService<MySqlDatabase>();

    public async Task RunAsync()
    {
        // The compiler has finished both programs after some ten thousand messages.
        await RoundAsync(50_000);
        var rounds = new List<(double Raw, double Relay)>();
        for (var i = 0; i < Rounds; i++)
        {
            rounds.Add(await RoundAsync(_rows));
            Figures.Say(string.Create(CultureInfo.InvariantCulture, $"round {i + 1}: raw {rounds[^1].Raw:F0}/s, relay {rounds[^1].Relay:F0}/s"));
        }

        figures.Ceiling("outbox rows read and produced, each acknowledged, nothing marked", Figures.Rate(Figure.Median(rounds.Select(r => r.Raw)), "messages"));
        var relay = Figure.Median(rounds.Select(r => r.Relay));
        figures.Add($"relay, from {_rows:N0} waiting rows", Figures.Rate(relay, "messages"), "≥ 5,000 messages/s", relay >= 5000);
        figures.AtLeast("relay ÷ reading the rows and producing them raw", Figure.Median(rounds.Select(r => r.Relay / r.Raw)), 0.6);
        await LatencyAsync();
        _raw.Dispose();
        await Database.ExecuteAsync("DELETE FROM outbox WHERE topic = @Topic", new { Topic }, CancellationToken.None);
    }

    async Task<(double Raw, double Relay)> RoundAsync(int rows)
    {
        // The shards are leased to nobody, so that the relays ignore them.
        await Database.ExecuteAsync("UPDATE outbox_shard SET lease_until = UTC_TIMESTAMP(6) + INTERVAL 1 HOUR", null, CancellationToken.None);
        await FillAsync(rows);
        var raw = await RawAsync(rows);
        await Database.ExecuteAsync("UPDATE outbox_shard SET lease_until = UTC_TIMESTAMP(6)", null, CancellationToken.None);
        var start = Stopwatch.GetTimestamp();
        stack.Services.GetRequiredService<OutboxWriter>().Wake();
        await SentAsync();
        var relay = rows / Stopwatch.GetElapsedTime(start).TotalSeconds;
        await Database.ExecuteAsync("DELETE FROM outbox WHERE topic = @Topic", new { Topic }, CancellationToken.None);
        return (raw, relay);
    }

    async Task FillAsync(int rows)
    {
        for (var done = 0; done < rows; done += BatchSize)
        {
            var keys = Enumerable.Range(0, Math.Min(BatchSize, rows - done)).Select(_ => Guid.CreateVersion7().ToString());
            await Database.ExecuteAsync("""
                INSERT INTO outbox (shard, topic, message_key, message_id, payload)
                SELECT r.shard, @Topic, r.k, r.k, @Payload FROM JSON_TABLE(@rows, '$[*]' COLUMNS (shard INT PATH '$[0]', k VARCHAR(36) PATH '$[1]')) r
                """,
                new { Topic, Payload, rows = JsonSerializer.Serialize(keys.Select(k => new object[] { OutboxWriter.ShardOf(k), k })) }, CancellationToken.None);
        }

        await Database.ExecuteAsync(
            "INSERT INTO outbox_waiting (shard, id) SELECT shard, id FROM outbox WHERE topic = @Topic", new { Topic }, CancellationToken.None);
    }

    /// <summary>
    /// Sends the same bytes with a program that only reads and produces. One loop reads pages while earlier pages are in flight. It
    /// neither claims nor marks rows, and keys do not wait for each other.
    /// </summary>
    async Task<double> RawAsync(int rows)
    {
        var start = Stopwatch.GetTimestamp();
        var (after, open, failed) = (0L, 1, 0);
        var done = new TaskCompletionSource();
        while (true)
        {
            var page = await Database.QueryAsync<Row>("""
                SELECT id AS Id, topic AS Topic, message_key AS `Key`, message_id AS MessageId, payload AS Payload, traceparent AS Traceparent
                FROM outbox WHERE id > @after ORDER BY id LIMIT @BatchSize
                """, new { after, BatchSize }, CancellationToken.None);
            if (page.Count == 0) break;
            after = page[^1].Id;
            Interlocked.Add(ref open, page.Count);
            foreach (var row in page)
            {
                var headers = new Headers();
                if (row.Traceparent is { } trace) headers.Add("traceparent", Encoding.ASCII.GetBytes(trace));
                MessageId.Add(headers, row.MessageId);
                _raw.Produce(row.Topic, new Message<string, byte[]> { Key = row.Key, Value = row.Payload, Headers = headers }, Reported);
            }
        }

        if (Interlocked.Decrement(ref open) > 0) await done.Task;
        if (failed > 0) throw new InvalidOperationException($"{failed} messages were not acknowledged.");
        return rows / Stopwatch.GetElapsedTime(start).TotalSeconds;

        void Reported(DeliveryReport<string, byte[]> report)
        {
            if (report.Error.IsError) Interlocked.Increment(ref failed);
            if (Interlocked.Decrement(ref open) == 0) done.SetResult();
        }
    }

    /// <summary>
    /// Measures the time from the insert (before the commit) to a consumer (after the acknowledgement). The true latency is shorter.
    /// </summary>
    async Task LatencyAsync()
    {
        var writer = stack.Services.GetRequiredService<OutboxWriter>();
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(Gap));
        var messages = quick ? 300 : 2000;
        var inserted = new ConcurrentDictionary<string, long>();
        using var consumer = Listen();
        var arrivals = Task.Run(() => Enumerable.Range(0, messages)
            .Select(_ => Stopwatch.GetElapsedTime(inserted[consumer.Consume().Message.Key]).TotalMilliseconds).Order().ToList());
        for (var i = 0; i < messages; i++)
        {
            await timer.WaitForNextTickAsync();
            var key = Guid.CreateVersion7().ToString();
            await Database.ExecuteInTransactionAsync(async transaction =>
            {
                inserted[key] = Stopwatch.GetTimestamp();
                await OutboxWriter.AddAsync(transaction, new(Topic, key, key, Payload));
                return 0;
            }, CancellationToken.None);
            writer.Wake();
        }

        var took = await arrivals;
        figures.AtMost("commit to Kafka, awake, p50", took[took.Count / 2], 15, "ms");
        figures.AtMost("commit to Kafka, awake, p99", took[(int)(took.Count * 0.99)], 100, "ms");
    }

    /// <summary>
    /// Reads the topic from its current end with frequent polls, because the mock broker answers a waiting consumer only after its
    /// timeout.
    /// </summary>
    IConsumer<string, byte[]> Listen()
    {
        var consumer = new ConsumerBuilder<string, byte[]>(
            new ConsumerConfig { BootstrapServers = stack.Kafka, GroupId = "bench", EnableAutoCommit = false, FetchWaitMaxMs = 1 }).Build();
        using var admin = new DependentAdminClientBuilder(consumer.Handle).Build();
        consumer.Assign(admin.GetMetadata(Topic, Deadline).Topics.Single().Partitions.Select(p => new TopicPartition(Topic, p.PartitionId))
            .Select(p => new TopicPartitionOffset(p, consumer.QueryWatermarkOffsets(p, Deadline).High)));
        return consumer;
    }

    async Task SentAsync()
    {
        while (await Database.SingleAsync<long?>("SELECT id FROM outbox_waiting LIMIT 1", null, CancellationToken.None) is not null)
            await Task.Delay(20);
    }

    sealed record Row(long Id, string Topic, string Key, string MessageId, byte[] Payload, string? Traceparent);
}
