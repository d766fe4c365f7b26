using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Commerce.Core.Database;
using Commerce.Core.Outbox;
using Confluent.Kafka;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Bench;

/// <summary>How fast the relays of the Workers send what waits, against reading the same rows and producing them without any care.</summary>
sealed class OutboxBench(BenchStack stack, bool quick, List<Figure> figures, List<Figure> ceilings)
{
    const int Rounds = 3;
    const int RowsTogether = 2000;
    const string Topic = "BENCH";

    /// <summary>Transactions in the latency part, one every few milliseconds.</summary>
    const int Gap = 10;

    static readonly byte[] Payload = JsonSerializer.SerializeToUtf8Bytes(new
    {
        type = "ORDER_PLACED", orderId = Guid.CreateVersion7(), userId = "user-12345", paidAt = "2026-01-01T00:00:00Z",
        items = new[] { new { productId = 1, quantity = 2 }, new { productId = 2, quantity = 1 } },
    });

    readonly int _rows = quick ? 10_000 : 50_000;

    Ledger Ledger => stack.Services.GetRequiredService<Ledger>();

    public async Task RunAsync()
    {
        // The first message makes the topic; the relay's producer makes none.
        await stack.Services.GetRequiredService<IProducer<string?, byte[]?>>().ProduceAsync(Topic, new Message<string?, byte[]?> { Value = Payload });
        await RoundAsync(quick ? 2_000 : 10_000);
        var rounds = new List<(double Raw, double Relay)>();
        for (var i = 0; i < Rounds; i++)
        {
            rounds.Add(await RoundAsync(_rows));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  round {i + 1}: raw {rounds[^1].Raw:F0}/s, relay {rounds[^1].Relay:F0}/s"));
        }

        ceilings.Add(new("outbox rows read and produced, each acknowledged, nothing marked", Rate(Figure.Median(rounds.Select(r => r.Raw))), "", null));
        var relay = Figure.Median(rounds.Select(r => r.Relay));
        Add($"relay, from {_rows:N0} waiting rows", Rate(relay), "≥ 5,000 messages/s", relay >= 5000);
        var ratio = Figure.Median(rounds.Select(r => r.Relay / r.Raw));
        Add("relay ÷ reading the rows and producing them raw", ratio.ToString("F2", CultureInfo.InvariantCulture), "≥ 0.5", ratio >= 0.5);
        await LatencyAsync();
        await Ledger.ExecuteAsync("DELETE FROM outbox WHERE topic = @Topic", new { Topic }, CancellationToken.None);
    }

    async Task<(double Raw, double Relay)> RoundAsync(int rows)
    {
        // Held by nobody who lives, so that the relays leave it alone.
        await Ledger.ExecuteAsync("UPDATE outbox_shard SET lease_until = UTC_TIMESTAMP(6) + INTERVAL 1 HOUR", null, CancellationToken.None);
        await FillAsync(rows);
        var raw = await RawAsync(rows);
        await Ledger.ExecuteAsync("UPDATE outbox_shard SET lease_until = UTC_TIMESTAMP(6)", null, CancellationToken.None);
        var start = Stopwatch.GetTimestamp();
        stack.Services.GetRequiredService<OutboxWriter>().Wake();
        await SentAsync();
        var relay = rows / Stopwatch.GetElapsedTime(start).TotalSeconds;
        await Ledger.ExecuteAsync("DELETE FROM outbox WHERE topic = @Topic", new { Topic }, CancellationToken.None);
        return (raw, relay);
    }

    async Task FillAsync(int rows)
    {
        for (var done = 0; done < rows; done += RowsTogether)
        {
            var keys = Enumerable.Range(0, Math.Min(RowsTogether, rows - done)).Select(_ => Guid.CreateVersion7().ToString());
            await Ledger.ExecuteAsync("""
                INSERT INTO outbox (shard, topic, message_key, message_id, payload)
                SELECT r.shard, @Topic, r.k, r.k, @Payload FROM JSON_TABLE(@rows, '$[*]' COLUMNS (shard INT PATH '$[0]', k VARCHAR(36) PATH '$[1]')) r
                """,
                new { Topic, Payload, rows = JsonSerializer.Serialize(keys.Select(k => new object[] { OutboxWriter.ShardOf(k), k })) }, CancellationToken.None);
        }
    }

    async Task<double> RawAsync(int rows)
    {
        var producer = stack.Services.GetRequiredService<IProducer<string?, byte[]?>>();
        var start = Stopwatch.GetTimestamp();
        var (after, open, failed) = (0L, 1, 0);
        var done = new TaskCompletionSource();
        while (true)
        {
            var page = await Ledger.QueryAsync<Row>(
                "SELECT id AS Id, message_key AS `Key`, payload AS Payload FROM outbox WHERE id > @after AND status = 'PENDING' ORDER BY id LIMIT @RowsTogether",
                new { after, RowsTogether }, CancellationToken.None);
            if (page.Count == 0) break;
            after = page[^1].Id;
            Interlocked.Add(ref open, page.Count);
            foreach (var row in page) producer.Produce(Topic, new Message<string?, byte[]?> { Key = row.Key, Value = row.Payload }, Reported);
        }

        if (Interlocked.Decrement(ref open) > 0) await done.Task;
        if (failed > 0) throw new InvalidOperationException($"{failed} messages were not acknowledged.");
        return rows / Stopwatch.GetElapsedTime(start).TotalSeconds;

        void Reported(DeliveryReport<string?, byte[]?> report)
        {
            if (report.Error.IsError) Interlocked.Increment(ref failed);
            if (Interlocked.Decrement(ref open) == 0) done.SetResult();
        }
    }

    /// <summary>
    /// From the insert, which is before the commit, to the mark, which is after the acknowledgement: both by MySQL's clock, so the real time
    /// is shorter.
    /// </summary>
    async Task LatencyAsync()
    {
        var writer = stack.Services.GetRequiredService<OutboxWriter>();
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(Gap));
        var messages = quick ? 300 : 2000;
        for (var i = 0; i < messages; i++)
        {
            await timer.WaitForNextTickAsync();
            var key = Guid.CreateVersion7().ToString();
            await Ledger.TransactAsync(async transaction =>
            {
                await OutboxWriter.AddAsync(transaction, new(Topic, key, key, Payload));
                return 0;
            }, CancellationToken.None);
            writer.Wake();
        }

        await SentAsync();
        var took = await Ledger.QueryAsync<long>(
            "SELECT TIMESTAMPDIFF(MICROSECOND, created_at, sent_at) FROM outbox WHERE topic = @Topic ORDER BY 1", new { Topic }, CancellationToken.None);
        AtMost("commit to Kafka, awake, p50", took[took.Count / 2] / 1000.0, 20);
        AtMost("commit to Kafka, awake, p99", took[(int)(took.Count * 0.99)] / 1000.0, 100);
    }

    async Task SentAsync()
    {
        while (await Ledger.SingleAsync<long?>("SELECT id FROM outbox WHERE status = 'PENDING' LIMIT 1", null, CancellationToken.None) is not null)
            await Task.Delay(20);
    }

    void AtMost(string what, double value, double target) =>
        Add(what, string.Create(CultureInfo.InvariantCulture, $"{value:F1} ms"), string.Create(CultureInfo.InvariantCulture, $"≤ {target:0.##} ms"), value <= target);

    void Add(string what, string value, string target, bool met)
    {
        figures.Add(new(what, value, target, met));
        Console.WriteLine($"  {what}: {value} {target}");
    }

    static string Rate(double perSecond) => string.Create(CultureInfo.InvariantCulture, $"{perSecond:N0} messages/s");

    sealed record Row(long Id, string Key, byte[] Payload);
}
