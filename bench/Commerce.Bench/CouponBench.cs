using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text;
using Aspire.Hosting.ApplicationModel;
using Commerce.Core.Consistency;
using Commerce.Core.Coupons;
using Commerce.Core.Database;
using Commerce.Core.Redis;
using Commerce.ServiceDefaults;
using Confluent.Kafka;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace Commerce.Bench;

/// <summary>Measures how fast coupons are issued, as ratios to the ceilings of the same run.</summary>
sealed class CouponBench(BenchStack stack, bool quick, Figures figures)
{
    const int Rounds = 3;
    const int LatencyRounds = 5;
    const int BatchSize = 1000;

    static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(5);
    static readonly TimeSpan Settling = TimeSpan.FromSeconds(2);

    readonly TimeSpan _round = TimeSpan.FromSeconds(quick ? 2 : 5);
    readonly int _crowd = quick ? 50_000 : 100_000;
    readonly string _tokensFile = Path.GetTempFileName();
    readonly Figures _figures = figures;
    string[] _tokens = [];
    double _topRate;
    (long Issues, ProcessorTimes Used) _cost = (0, ProcessorTimes.None);

    MySqlDatabase Database => stack.Services.GetRequiredService<MySqlDatabase>();

    public static async Task<int> RunAsync(bool quick)
    {
        var figures = new Figures();
        await using (var stack = await BenchStack.StartAsync(Durability.Database)) await new CouponBench(stack, quick, figures).RunWithDatabaseAsync();
        await using (var stack = await BenchStack.StartAsync()) return await new CouponBench(stack, quick, figures).RunAsync();
    }

    /// <summary>Measures the cost of storing an acceptance in the database, and not only on the broker, before the response.</summary>
    async Task RunWithDatabaseAsync()
    {
        await PrepareAsync();
        var hello = new Uri(stack.CeilingUrl, "/hello");
        for (var i = 0; i < 3; i++)
        {
            await IssueAsync(WarmUp);
            await CrowdAsync(hello, WarmUp);
        }

        _cost = (0, ProcessorTimes.None);
        var rounds = new List<(double Hello, double Issue)>();
        for (var i = 0; i < Rounds; i++)
        {
            rounds.Add(((await CrowdAsync(hello, _round)).PerSecond, await IssueAsync(_round)));
            Figures.Say($"Durability Database, round {i + 1}: hello {rounds[^1].Hello:F0}/s, issue {rounds[^1].Issue:F0}/s");
        }

        _topRate = Figure.Median(rounds.Select(r => r.Issue));
        _figures.Add("issue with Coupons:Durability = Database", Figures.Rate(_topRate, "requests"));
        _figures.Add("the same ÷ authenticated hello-world", string.Create(CultureInfo.InvariantCulture, $"{Figure.Median(rounds.Select(r => r.Issue / r.Hello)):F2}"));
        _figures.Add("its processor time, its row included", _cost.Used.MicrosecondsForEach(_cost.Issues));
        var p99 = await LatencyAsync();
        _figures.Add("its p99 at half its top rate", string.Create(CultureInfo.InvariantCulture, $"{p99:F0} ms"));
        File.Delete(_tokensFile);
    }

    async Task PrepareAsync()
    {
        Figures.Say($"{_crowd} users");
        _tokens = [.. Enumerable.Range(0, _crowd).AsParallel().Select(i => BenchStack.Token($"u{i}"))];
        await File.WriteAllLinesAsync(_tokensFile, _tokens);
    }

    async Task<int> RunAsync()
    {
        await PrepareAsync();
        await CompareAsync();
        _figures.AtMost("p99 of issue at half its top rate", await LatencyAsync(), 20, "ms");
        await RawScriptAsync();
        await RawProduceAsync();
        var insert = await RawInsertAsync();
        await DrainAsync(insert);
        await FaultsAsync();

        File.Delete(_tokensFile);
        await _figures.WriteAsync("coupons");
        return _figures.Missed ? 1 : 0;
    }

    /// <summary>
    /// Measures the endpoints alternately for several rounds. Ratios are taken within a round, so that noise affects all of them equally.
    /// </summary>
    async Task CompareAsync()
    {
        var hello = new Uri(stack.CeilingUrl, "/hello");
        await Database.ExecuteAsync("CREATE TABLE bench_coupon LIKE coupon", null, CancellationToken.None);
        await Database.ExecuteAsync("CREATE TABLE bench_coupon_issue LIKE coupon_issue", null, CancellationToken.None);
        var soldOut = await stack.CouponAsync(total: 1);
        // The measurement starts after the JIT compiler has finished, because it would take a third of the cores.
        for (var i = 0; i < 3; i++)
        {
            await IssueAsync(WarmUp);
            await CrowdAsync(IssueUrl(soldOut), WarmUp);
            await CrowdAsync(hello, WarmUp);
            await RowLockAsync(soldOut, WarmUp);
        }

        _cost = (0, ProcessorTimes.None);
        var rounds = new List<(double Hello, double Issue, double SoldOut, double RowLock)>();
        for (var i = 0; i < Rounds; i++)
        {
            var h = await CrowdAsync(hello, _round);
            var issue = await IssueAsync(_round);
            var refused = await CrowdAsync(IssueUrl(soldOut), _round);
            rounds.Add((h.PerSecond, issue, refused.PerSecond, await RowLockAsync(soldOut, _round)));
            Figures.Say($"round {i + 1}: hello {h.PerSecond:F0}/s, issue {issue:F0}/s, sold out {refused.PerSecond:F0}/s, row lock {rounds[^1].RowLock:F0}/s");
        }

        _topRate = Figure.Median(rounds.Select(r => r.Issue));
        _figures.Ceiling("authenticated hello-world", Figures.Rate(Figure.Median(rounds.Select(r => r.Hello)), "requests"));
        _figures.Ceiling("the same sale with a row lock in MySQL", Figures.Rate(Figure.Median(rounds.Select(r => r.RowLock)), "issues"));
        _figures.Add("issue, all succeed, distinct users", Figures.Rate(_topRate, "requests"));
        _figures.Add("processor time of an issue, its row included", _cost.Used.MicrosecondsForEach(_cost.Issues));
        _figures.AtLeast("issue ÷ authenticated hello-world", Figure.Median(rounds.Select(r => r.Issue / r.Hello)), 0.55);
        _figures.AtLeast("issue when sold out ÷ authenticated hello-world", Figure.Median(rounds.Select(r => r.SoldOut / r.Hello)), 0.70);
        _figures.AtLeast("issue ÷ the row-lock way", Figure.Median(rounds.Select(r => r.Issue / r.RowLock)), 15);
    }

    Task<LoadResult> CrowdAsync(Uri url, TimeSpan duration) => Load.AsMuchAsGoesAsync(url, _tokensFile, duration, connections: Load.Crowd);

    /// <summary>Measures issues per second with a row lock, on a copy of the coupon.</summary>
    async Task<double> RowLockAsync(Coupon coupon, TimeSpan duration)
    {
        await Database.ExecuteAsync("INSERT INTO bench_coupon SELECT * FROM coupon WHERE id = @Id", coupon, CancellationToken.None);
        await Database.ExecuteAsync("UPDATE bench_coupon SET total_quantity = 10000000", null, CancellationToken.None);
        var result = await CrowdAsync(new(stack.CeilingUrl, $"/row-lock/{coupon.Id}"), duration);
        await Database.ExecuteAsync("DELETE FROM bench_coupon", null, CancellationToken.None);
        await Database.ExecuteAsync("TRUNCATE TABLE bench_coupon_issue", null, CancellationToken.None);
        return (result.Requests - result.Refused) / result.Seconds;
    }

    /// <summary>Measures successful issues per second. Each user is new to the coupon.</summary>
    async Task<double> IssueAsync(TimeSpan duration)
    {
        var coupon = await stack.CouponAsync(total: 10_000_000);
        var before = await ProcessorTimes.ReadAsync(stack);
        var result = await CrowdAsync(IssueUrl(coupon), duration);
        var issued = result.Requests - result.Refused;
        for (var start = Stopwatch.GetTimestamp(); await RowsAsync(coupon) < issued && Stopwatch.GetElapsedTime(start) < TimeSpan.FromMinutes(1);) await Task.Delay(20);
        _cost = (_cost.Issues + issued, _cost.Used + await ProcessorTimes.ReadAsync(stack) - before);
        await RestAsync();
        return issued / result.Seconds;
    }

    /// <summary>Measures several rounds, as for the rates, because a single stall of the machine could dominate one round.</summary>
    async Task<double> LatencyAsync()
    {
        var rate = _topRate / 2;
        string[] tokens = [.. _tokens.Take((int)(rate * _round.TotalSeconds))];
        var rounds = new List<double>();
        // The load generator needs a warm-up, too, so the first round does not count.
        for (var i = 0; i <= LatencyRounds; i++)
        {
            var coupon = await stack.CouponAsync(total: 10_000_000);
            // The Api's compiler is still busy with methods of the audit and of the coupon's creation. They are not part of the sale.
            await Task.Delay(Settling);
            var latencies = await Load.AtRateAsync(IssueUrl(coupon), tokens, rate);
            await RestAsync();
            var p99 = latencies[(int)(latencies.Length * 0.99)];
            Figures.Say(string.Create(CultureInfo.InvariantCulture, $"{rate:F0}/s, round {i}: p50 {latencies[latencies.Length / 2]:F1} ms, p99 {p99:F1} ms"));
            if (i > 0) rounds.Add(p99);
        }

        return Figure.Median(rounds);
    }

    async Task RawScriptAsync()
    {
        var coupon = await stack.CouponAsync(total: 10_000_000);
        var redis = stack.Services.GetRequiredService<IConnectionMultiplexer>().GetDatabase();
        var keys = new CouponKeys(coupon.Id).All;
        var server = stack.Services.GetRequiredService<RedisServers>().IncarnationOf(keys[0]);
        var script = RedisScript.Load("Coupons/issue.lua");
        var calls = await CallersAsync(64, i => script.RunAsync(redis, keys, [server, 3_600_000, $"raw-{i}"], TimeSpan.FromSeconds(5)));
        _figures.Ceiling("raw EVALSHA of issue.lua, 64 callers", Figures.Rate(calls, "calls"));
        await redis.KeyDeleteAsync(keys);
    }

    async Task RawProduceAsync()
    {
        var producer = stack.Services.GetRequiredService<KafkaProducer>();
        var value = new CouponIssued(1, 1, "u12345", 1_800_000_000_000).ToBytes();
        var sent = await CallersAsync(512, _ => producer.ProduceAsync(BenchStack.Topic, new Message<string?, byte[]?> { Value = value }));
        _figures.Ceiling("raw produce, each acknowledged, 512 in flight", Figures.Rate(sent, "messages"));
    }

    async Task<double> RawInsertAsync()
    {
        var rows = 0;
        var start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < _round)
        {
            var sql = new StringBuilder("INSERT INTO bench_coupon_issue (coupon_id, user_id, issued_at) VALUES ");
            for (var i = 0; i < BatchSize; i++, rows++) sql.Append(i == 0 ? "" : ",").Append(CultureInfo.InvariantCulture, $"(1,'u{rows}','2026-01-01')");
            await Database.ExecuteAsync(sql.ToString(), null, CancellationToken.None);
        }

        var perSecond = rows / Stopwatch.GetElapsedTime(start).TotalSeconds;
        _figures.Ceiling("raw multi-row insert, 1,000 rows a statement", Figures.Rate(perSecond, "rows"));
        return perSecond;
    }

    /// <summary>Issues all coupons while the Workers are stopped. Then the Workers drain the backlog.</summary>
    async Task DrainAsync(double insertPerSecond)
    {
        await stack.CommandAsync("workers", KnownResourceCommands.StopCommand);
        var coupon = await stack.CouponAsync(total: _crowd);
        using var http = Client();
        await Parallel.ForEachAsync(_tokens, new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (token, _) => await PressAsync(http, coupon, token));
        _figures.AtMost($"Api memory while {_crowd:N0} coupons are issued", await stack.PeakMemoryAsync("api"), 300, "MB");

        var starting = stack.CommandAsync("workers", KnownResourceCommands.StartCommand);
        var (first, at) = (0, 0L);
        while (true)
        {
            var rows = await RowsAsync(coupon);
            if (rows > 0 && first == 0) (first, at) = (rows, Stopwatch.GetTimestamp());
            if (rows == _crowd) break;
            await Task.Delay(20);
        }

        await starting;
        var perSecond = (_crowd - first) / Stopwatch.GetElapsedTime(at).TotalSeconds;
        _figures.Add("consumer drain", Figures.Rate(perSecond, "rows"), "≥ 10,000 rows/s", perSecond >= 10_000);
        _figures.AtLeast("consumer drain ÷ raw multi-row insert", perSecond / insertPerSecond, 0.7);
        await RestAsync();
    }

    /// <summary>Issues coupons to all users while the broker is down for 10 s and Redis is killed once. Then it runs the audit.</summary>
    async Task FaultsAsync()
    {
        var coupon = await stack.CouponAsync(total: _crowd);
        using var http = Client();
        var done = 0;
        var promised = 0;
        var sale = Parallel.ForEachAsync(_tokens, new ParallelOptions { MaxDegreeOfParallelism = 64 }, async (token, _) =>
        {
            if (await PressAsync(http, coupon, token)) Interlocked.Increment(ref promised);
            Interlocked.Increment(ref done);
        });
        await ReachedAsync(_crowd / 5);
        Figures.Say("the broker goes away for 10 s");
        await stack.BrokerAwayAsync();
        await Task.Delay(TimeSpan.FromSeconds(10));
        await stack.BrokerBackAsync();
        await ReachedAsync(_crowd / 2);
        Figures.Say("Redis is killed");
        await stack.KillAsync("redis");
        await stack.CommandAsync("redis", KnownResourceCommands.StartCommand);
        await sale;
        await RestAsync();

        var report = await CheckConsistencyAsync();
        var rows = await RowsAsync(coupon);
        var broken = report.Findings.Where(f => !f.Holds).Sum(f => f.Broken) + Math.Max(0, promised - rows);
        _figures.Add($"{_crowd:N0} issues with the broker away for 10 s and Redis killed once", $"{broken} broken ({promised:N0} promised, {rows:N0} rows)", "0 broken", broken == 0);

        async Task ReachedAsync(int count)
        {
            while (Volatile.Read(ref done) < count && !sale.IsCompleted) await Task.Delay(20);
        }
    }

    /// <summary>Repeats a request until it has a definite response. Returns true for a 2xx.</summary>
    static async Task<bool> PressAsync(HttpClient http, Coupon coupon, string token)
    {
        while (true)
        {
            try
            {
                using var request = new HttpRequestMessage(HttpMethod.Post, $"/api/coupons/{coupon.Id}/issue");
                request.Headers.Authorization = new("Bearer", token);
                using var answer = await http.SendAsync(request);
                if ((int)answer.StatusCode < 500) return answer.IsSuccessStatusCode;
            }
            catch (HttpRequestException)
            {
                // There was no response, so the request is repeated.
            }

            await Task.Delay(100);
        }
    }

    /// <summary>Waits until the system is at rest.</summary>
    async Task RestAsync()
    {
        var start = Stopwatch.GetTimestamp();
        while (!(await CheckConsistencyAsync()).Holds && Stopwatch.GetElapsedTime(start) < TimeSpan.FromMinutes(2)) await Task.Delay(200);
    }

    async Task<ConsistencyReport> CheckConsistencyAsync()
    {
        try
        {
            return (await stack.Admin.GetFromJsonAsync<ConsistencyReport>("/api/admin/audit"))!;
        }
        catch (HttpRequestException e)
        {
            return new([new("HTTP", e.Message, false, 1)]);
        }
    }

    async Task<double> CallersAsync(int callers, Func<int, Task> call)
    {
        var calls = 0;
        var start = Stopwatch.GetTimestamp();
        await Task.WhenAll(Enumerable.Range(0, callers).Select(_ => Task.Run(async () =>
        {
            while (Stopwatch.GetElapsedTime(start) < _round) await call(Interlocked.Increment(ref calls));
        })));
        return calls / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    Task<int> RowsAsync(Coupon coupon) =>
        Database.SingleAsync<int>("SELECT issued_quantity FROM coupon WHERE id = @Id", coupon, CancellationToken.None);

    Uri IssueUrl(Coupon coupon) => new(stack.ApiUrl, $"/api/coupons/{coupon.Id}/issue");

    HttpClient Client() => new(new SocketsHttpHandler { MaxConnectionsPerServer = 256 }) { BaseAddress = stack.ApiUrl };
}
