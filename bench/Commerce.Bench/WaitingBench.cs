using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using Commerce.Core.Events;
using Commerce.Core.WaitingRoom;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace Commerce.Bench;

/// <summary>
/// Measures a waiting room with 50,000 shoppers: the cost of joining and of polling, the memory of a place, and the accuracy of the
/// estimated wait.
/// </summary>
sealed class WaitingBench(BenchStack stack, bool quick)
{
    const int Crowd = 50_000;
    const int Rate = 1_000;
    const int Together = 64;
    const int Sample = 500;

    readonly Figures _figures = new();
    readonly int _rounds = quick ? 3 : 5;
    readonly TimeSpan _round = TimeSpan.FromSeconds(quick ? 3 : 8);

    WaitingRoomGate Gate => stack.Services.GetRequiredService<WaitingRoomGate>();

    IDatabase Redis => stack.Services.GetRequiredService<IConnectionMultiplexer>().GetDatabase();

    public static async Task<int> RunAsync(bool quick)
    {
        await using var stack = await BenchStack.StartAsync();
        return await new WaitingBench(stack, quick).RunAsync();
    }

    async Task<int> RunAsync()
    {
        var sale = await EventAsync();
        var planned = new Room(sale, Rate, IsOpen: false, DateTime.UnixEpoch, null);
        await Gate.OpenAsync(sale, 1, AsyncEnumerable.Empty<Admission>());

        var before = await MemoryAsync();
        var joined = await CostAsync(i => Gate.EnterAsync(planned, User(i), joins: true));
        var bytes = (await MemoryAsync() - before) / Crowd;
        _figures.Add($"memory of a place, with {Crowd:N0} waiting", string.Create(CultureInfo.InvariantCulture, $"{bytes} bytes"));
        _figures.AtMost("joining, processor time of Redis", joined.Micros, 60, "µs");
        await AskAsync(planned);
        await ApiAsync(sale);
        await EstimateAsync(planned with { IsOpen = true }, leaving: 0);

        // The room starts again without places.
        await Redis.KeyDeleteAsync([.. new WaitingRoomKeys(sale).All]);
        await Gate.OpenAsync(sale, 1, AsyncEnumerable.Empty<Admission>());
        await CostAsync(i => Gate.EnterAsync(planned, User(i), joins: true));
        await EstimateAsync(planned with { IsOpen = true }, leaving: 10);
        await _figures.WriteAsync("waiting");
        return _figures.Missed ? 1 : 0;
    }

    /// <summary>Measures polls for a place, alternately with one bare command on the same connection.</summary>
    async Task AskAsync(Room room)
    {
        var keys = new WaitingRoomKeys(room.EventId);
        var rounds = new List<(double Bare, double Ask, double Micros)>();
        for (var i = 0; i < _rounds; i++)
        {
            var bare = await CostAsync(user => Redis.SortedSetRankAsync(keys.Waiting, User(user)));
            var ask = await CostAsync(user => Gate.EnterAsync(room, User(user), joins: false));
            rounds.Add((bare.PerSecond, ask.PerSecond, ask.Micros));
            Figures.Say(string.Create(CultureInfo.InvariantCulture, $"round {i + 1}: ZRANK {bare.PerSecond:F0}/s, asking {ask.PerSecond:F0}/s"));
        }

        _figures.Ceiling("ZRANK, on the same connection", Figures.Rate(Figure.Median(rounds.Select(r => r.Bare)), "commands"));
        _figures.Add("asking for a place, on one connection", Figures.Rate(Figure.Median(rounds.Select(r => r.Ask)), "places"));
        _figures.AtMost("asking, processor time of Redis", Figure.Median(rounds.Select(r => r.Micros)), 60, "µs");
        _figures.AtLeast("asking ÷ a bare ZRANK", Figure.Median(rounds.Select(r => r.Ask / r.Bare)), 0.30);
    }

    /// <summary>Measures polls through the Api, alternately with a hello-world endpoint behind the same authentication.</summary>
    async Task ApiAsync(long sale)
    {
        var tokensFile = Path.GetTempFileName();
        await File.WriteAllLinesAsync(tokensFile, Enumerable.Range(0, Crowd).AsParallel().Select(i => BenchStack.Token(User(i))));
        var (hello, ask) = (new Uri(stack.CeilingUrl, "/hello"), new Uri(stack.ApiUrl, $"/api/events/{sale}/waiting-room"));
        var rounds = new List<(double Hello, double Ask)>();
        for (var i = 0; i <= _rounds; i++)
        {
            var ceiling = await Load.AsMuchAsGoesAsync(hello, tokensFile, _round, connections: Load.Crowd);
            var asked = await Load.AsMuchAsGoesAsync(ask, tokensFile, _round, connections: Load.Crowd);
            if (asked.Refused > 0) throw new InvalidOperationException($"{asked.Refused} shoppers were refused.");
            // The first round warms up.
            if (i > 0) rounds.Add((ceiling.PerSecond, asked.PerSecond));
        }

        File.Delete(tokensFile);
        _figures.Ceiling("authenticated hello-world", Figures.Rate(Figure.Median(rounds.Select(r => r.Hello)), "requests"));
        _figures.Add("asking through the Api", Figures.Rate(Figure.Median(rounds.Select(r => r.Ask)), "requests"));
        _figures.AtLeast("asking through the Api ÷ authenticated hello-world", Figure.Median(rounds.Select(r => r.Ask / r.Hello)), 0.30);
    }

    /// <summary>
    /// Compares the estimated wait of a sample at the opening with its admission by Redis' clock, while all shoppers keep polling.
    /// </summary>
    async Task EstimateAsync(Room room, int leaving)
    {
        var keys = new WaitingRoomKeys(room.EventId);
        var lifetime = new WaitingRoomOptions().PassLifetime;
        var told = new List<(int User, double At)>();
        for (var i = Crowd / Sample / 2; i < Crowd; i += Crowd / Sample)
        {
            var place = await Gate.EnterAsync(room, User(i), joins: false);
            var now = (RedisResult[])(await Redis.ExecuteAsync("TIME"))!;
            if (place.State == PlaceState.Waiting) told.Add((i, (long)now[0] + ((long)now[1] / 1e6) + place.Wait.TotalSeconds));
        }

        var start = Stopwatch.GetTimestamp();
        var sampled = told.Select(t => t.User).ToHashSet();
        await TogetherAsync(async worker =>
        {
            for (var at = worker; await Redis.SortedSetLengthAsync(keys.Waiting) > 0 && Stopwatch.GetElapsedTime(start).TotalSeconds < Crowd / Rate * 2; at += Together)
            {
                var user = at * 7919 % Crowd;
                if (user % 100 < leaving && !sampled.Contains(user)) await Gate.LeaveAsync(room.EventId, User(user));
                else await Gate.EnterAsync(room, User(user), joins: false);
            }
        });

        var errors = new List<double>();
        foreach (var (user, at) in told)
            if (await Redis.SortedSetScoreAsync(keys.Admitted, User(user)) is { } expires) errors.Add(((expires / 1e6) - lifetime.TotalSeconds - at) * 1000);
        var late = errors.Select(Math.Abs).Order().ToList();
        var text = string.Create(CultureInfo.InvariantCulture, $"p50 {late[late.Count / 2]:F0} ms, p99 {late[late.Count * 99 / 100]:F0} ms, most {late[^1]:F0} ms");
        var longest = Crowd / Rate;
        if (leaving == 0) _figures.Add($"error of the estimate, waits of 0 to {longest} s, {told.Count} shoppers", text, "p99 ≤ 500 ms", late[late.Count * 99 / 100] <= 500);
        else _figures.Add($"the same while {leaving} % leave without waiting (their places are ahead of others)", text);
    }

    /// <summary>Runs a call for every shopper, many at once. Returns the rate, and Redis' processor time per call.</summary>
    async Task<(double PerSecond, double Micros)> CostAsync(Func<int, Task> call)
    {
        await Redis.ExecuteAsync("CONFIG", "RESETSTAT");
        var start = Stopwatch.GetTimestamp();
        await TogetherAsync(async worker =>
        {
            for (var i = worker; i < Crowd; i += Together) await call(i);
        });
        var took = Stopwatch.GetElapsedTime(start);
        var line = ((string)(await Redis.ExecuteAsync("INFO", "commandstats"))!).Split('\n').FirstOrDefault(l => l.StartsWith("cmdstat_evalsha:", StringComparison.Ordinal));
        var micros = line is null ? 0 : double.Parse(line.Split("usec_per_call=")[1].Split(',')[0], CultureInfo.InvariantCulture);
        return (Crowd / took.TotalSeconds, micros);
    }

    /// <summary>Callers who do not wait for each other.</summary>
    static Task TogetherAsync(Func<int, Task> work) => Task.WhenAll(Enumerable.Range(0, Together).Select(worker => Task.Run(() => work(worker))));

    async Task<long> MemoryAsync() => long.Parse(
        ((string)(await Redis.ExecuteAsync("INFO", "memory"))!).Split('\n').Single(l => l.StartsWith("used_memory:", StringComparison.Ordinal)).Split(':')[1], CultureInfo.InvariantCulture);

    /// <summary>Creates a planned event, so that nobody is admitted before the estimate is measured.</summary>
    async Task<long> EventAsync()
    {
        using var answer = await stack.Admin.PostAsJsonAsync(
            "/api/admin/events", new EventDefinition("bench", TimeProvider.System.GetUtcNow().AddDays(1), null, [], [], Rate));
        return (await answer.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<SaleEvent>())!.Id;
    }

    static string User(int i) => string.Create(CultureInfo.InvariantCulture, $"waiting-{i}");
}
