using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using Aspire.Hosting.ApplicationModel;
using Commerce.Core.Database;
using Commerce.Core.Events;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace Commerce.Bench;

/// <summary>Measures the delay of openings by path, and the time until the last of 10,000 browsers receives an opening.</summary>
sealed class EventBench(BenchStack stack, bool quick)
{
    const int ManyEvents = 100;
    const int Users = 2500;
    const int PerAddress = 2000;
    const int WarmUp = 100;

    /// <summary>
    /// The time to wait for openings. If many keys expire, notifications are minutes late, and the benchmark does not wait for all of
    /// them.
    /// </summary>
    static readonly TimeSpan Timeout = TimeSpan.FromSeconds(20);

    static readonly (string Name, (string, string)[] Settings)[] Paths =
    [
        ("listener", [("Events__Poll", "false"), ("Events__RecoveryInterval", "01:00:00")]),
        ("poll", [("Events__Listen", "false"), ("Events__RecoveryInterval", "01:00:00")]),
        ("recovery every 10 s", [("Events__Listen", "false"), ("Events__Poll", "false"), ("Events__RecoveryInterval", "00:00:10")]),
        ("all", []),
    ];

    readonly Figures _figures = new();
    readonly int _events = quick ? 20 : 100;
    readonly int _clients = quick ? 2_000 : 10_000;

    MySqlDatabase Database => stack.Services.GetRequiredService<MySqlDatabase>();

    IDatabase Redis => stack.Services.GetRequiredService<IConnectionMultiplexer>().GetDatabase();

    public static async Task<int> RunAsync(bool quick)
    {
        await using var stack = await BenchStack.StartAsync();
        return await new EventBench(stack, quick).RunAsync();
    }

    async Task<int> RunAsync()
    {
        await StreamsAsync();
        await TogetherAsync();
        var told = await stack.EnvironmentAsync("workers");
        await stack.CommandAsync("workers", KnownResourceCommands.StopCommand);
        foreach (var (name, settings) in Paths)
        {
            var workers = await stack.StartWorkersAsync([.. told, .. settings]);
            foreach (var keys in new[] { 0, 20_000, 60_000 }) await DelayAsync(name, keys);
            workers.Kill();
            await workers.WaitForExitAsync();
        }

        await _figures.WriteAsync("events");
        return _figures.Missed ? 1 : 0;
    }

    /// <summary>Measures ten thousand open streams, first idle, then with an opening.</summary>
    async Task StreamsAsync()
    {
        Figures.Say($"{_clients:N0} streams");
        var idle = TimeSpan.FromSeconds(quick ? 16 : 60);
        // One-time costs of the first streams do not count. Only a few streams are opened here, because later streams reuse their memory.
        foreach (var client in await OpenAsync(WarmUp)) client.Dispose();
        await Task.Delay(idle / 4);
        var before = await stack.MemoryAsync("api");
        var clients = await OpenAsync(_clients);
        await Task.Delay(idle / 2);
        var used = await stack.ProcessorTimeAsync("api");
        var start = Stopwatch.GetTimestamp();
        await Task.Delay(idle);
        var cpu = (await stack.ProcessorTimeAsync("api") - used) / Stopwatch.GetElapsedTime(start) * 100;
        _figures.AtMost($"Api memory for each of {_clients:N0} idle streams", (await stack.MemoryAsync("api") - before) * 1024 / _clients, 20, "KB");
        _figures.AtMost($"Api processor time with {_clients:N0} idle streams, of one core", cpu, 10, "%");

        var lasts = new List<double>();
        for (var round = 0; round < 10; round++)
        {
            var opened = await OpenAsync();
            await Task.WhenAll(clients.Select(c => c.HeardAsync(opened.Id)));
            lasts.Add(clients.Max(c => (c.HeardAt - opened.OpenedAt!.Value).TotalMilliseconds));
        }

        _figures.AtMost($"opening → last of {_clients:N0} streams, the slowest of 10", lasts.Max(), 400, "ms");
        var after = (await stack.MemoryAsync("api") - before) * 1024 / _clients;
        _figures.Add("Api memory for each of them after ten openings", string.Create(CultureInfo.InvariantCulture, $"{after:F1} KB"));
        _figures.Add($"opening → last of {_clients:N0} streams, median of 10", string.Create(CultureInfo.InvariantCulture, $"{lasts.Order().ElementAt(5):F0} ms"));
        foreach (var client in clients) client.Dispose();
    }

    async Task<StreamClient[]> OpenAsync(int count)
    {
        var clients = new StreamClient[count];
        await Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (i, _) =>
            clients[i] = await StreamClient.OpenAsync(stack.ApiUrl, new IPAddress([127, 0, 1, (byte)(1 + (i / PerAddress))]), BenchStack.Token($"u{i % Users}")));
        return clients;
    }

    /// <summary>Measures a hundred events in the same second, and a hundred clients that receive all openings.</summary>
    async Task TogetherAsync()
    {
        var clients = await Task.WhenAll(Enumerable.Range(0, 100).Select(i => StreamClient.OpenAsync(stack.ApiUrl, IPAddress.Loopback, BenchStack.Token($"u{i}"))));
        var at = TimeProvider.System.GetUtcNow().AddSeconds(8);
        var ids = await ScheduleAsync(Enumerable.Repeat(at, ManyEvents));
        var late = await LateAsync(ids, at);
        await Task.WhenAll(clients.SelectMany(c => ids.Select(c.HeardAsync)));
        Distribution($"{ManyEvents} events at the same moment", late, ids.Count, 300, 600);
        _figures.AtMost("the last of them → the last of 100 clients, after its time", clients.Max(c => (c.HeardAt - at.UtcDateTime).TotalMilliseconds), 2000, "ms");
        foreach (var client in clients) client.Dispose();
    }

    async Task DelayAsync(string path, int keys)
    {
        await Redis.ExecuteAsync("EVAL", $"for i = 1, {keys} do redis.call('SET', 'ttl:' .. i, 1, 'EX', 36000) end", 0);
        var now = TimeProvider.System.GetUtcNow();
        // The times are spread over a second, like real ones, and do not all fall into one timer tick.
        var times = Enumerable.Range(0, _events).Select(i => now.AddMilliseconds(5000 + (i * 137))).ToArray();
        var ids = await ScheduleAsync(times);
        var late = await LateAsync(ids, times[^1]);
        var targets = path is "poll" or "all";
        Distribution($"delay by {path}, {keys:N0} other keys with a time to live", late, ids.Count, targets ? 300 : null, targets ? 600 : null);
        foreach (var id in ids) await stack.Admin.PostAsJsonAsync($"/api/admin/events/{id}/cancel", new { });
        await Redis.ExecuteAsync("EVAL", $"for i = 1, {keys} do redis.call('DEL', 'ttl:' .. i) end", 0);
    }

    async Task<IReadOnlyList<long>> ScheduleAsync(IEnumerable<DateTimeOffset> times)
    {
        var ids = new List<long>();
        foreach (var time in times) ids.Add((await CreateAsync(time)).Id);
        return ids;
    }

    /// <summary>
    /// Waits until all events are open, but at most the timeout after the last event's time. Returns the sorted delays in ms.
    /// </summary>
    async Task<IReadOnlyList<double>> LateAsync(IReadOnlyList<long> ids, DateTimeOffset last)
    {
        IReadOnlyList<long> late;
        do
        {
            await Task.Delay(500);
            late = await Database.QueryAsync<long>(
                "SELECT TIMESTAMPDIFF(MICROSECOND, opens_at, opened_at) FROM event WHERE id IN @ids AND opened_at IS NOT NULL", new { ids }, CancellationToken.None);
        }
        while (late.Count < ids.Count && TimeProvider.System.GetUtcNow() < last + Timeout);
        return [.. late.Order().Select(micros => micros / 1000.0)];
    }

    async Task<SaleEvent> OpenAsync()
    {
        var draft = await CreateAsync(null);
        using var answer = await stack.Admin.PostAsJsonAsync($"/api/admin/events/{draft.Id}/open", new { });
        return (await answer.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<SaleEvent>())!;
    }

    async Task<SaleEvent> CreateAsync(DateTimeOffset? opensAt)
    {
        using var answer = await stack.Admin.PostAsJsonAsync("/api/admin/events", new { name = "bench", opensAt });
        return (await answer.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<SaleEvent>())!;
    }

    void Distribution(string what, IReadOnlyList<double> late, int wanted, double? p50, double? p99)
    {
        if (late.Count < wanted)
        {
            _figures.Add(what, $"{wanted - late.Count} of {wanted} not within {Timeout.TotalSeconds:F0} s", "", p50 is null ? null : false);
            return;
        }

        var (half, most) = (late[late.Count / 2], late[Math.Min(late.Count - 1, late.Count * 99 / 100)]);
        _figures.Add(what, string.Create(CultureInfo.InvariantCulture, $"p50 {half:F0} ms, p99 {most:F0} ms, most {late[^1]:F0} ms"),
            p50 is null ? "" : string.Create(CultureInfo.InvariantCulture, $"≤ {p50} / {p99} ms"), p50 is null ? null : half <= p50 && most <= p99);
    }
}

/// <summary>An open stream that costs the client little. It searches the received bytes for event ids and records the time.</summary>
sealed class StreamClient : IDisposable
{
    readonly Socket _socket;
    readonly byte[] _buffer = new byte[1024];
    readonly byte[] _line = new byte[64];
    readonly Lock _lock = new();
    readonly HashSet<long> _heard = [];
    readonly Dictionary<long, TaskCompletionSource> _waiting = [];

    int _lineLength;
    int _chunkLeft;
    int _chunkSize;

    StreamClient(Socket socket) => _socket = socket;

    /// <summary>The time when the last opening arrived.</summary>
    public DateTime HeardAt { get; private set; }

    public static async Task<StreamClient> OpenAsync(Uri api, IPAddress from, string token)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.Bind(new IPEndPoint(from, 0));
        await socket.ConnectAsync(IPAddress.Loopback, api.Port);
        await socket.SendAsync(Encoding.ASCII.GetBytes(
            $"GET /api/events/stream HTTP/1.1\r\nHost: {api.Authority}\r\nAuthorization: Bearer {token}\r\n\r\n"));
        var client = new StreamClient(socket);
        var (length, head) = (0, -1);
        while (head < 0 && length < client._buffer.Length)
        {
            if (await socket.ReceiveAsync(client._buffer.AsMemory(length)) is not (> 0 and var read)) break;
            length += read;
            head = client._buffer.AsSpan(0, length).IndexOf("\r\n\r\n"u8);
        }

        if (head < 0 || !client._buffer.AsSpan(0, length).StartsWith("HTTP/1.1 200"u8))
            throw new InvalidOperationException(Encoding.ASCII.GetString(client._buffer, 0, length));
        client.Take(client._buffer.AsSpan((head + 4)..length));
        _ = client.ReadAsync();
        return client;
    }

    /// <summary>Completes when the opening of this event arrives.</summary>
    public Task HeardAsync(long eventId)
    {
        lock (_lock)
        {
            if (_heard.Contains(eventId)) return Task.CompletedTask;
            if (!_waiting.TryGetValue(eventId, out var waiting)) _waiting[eventId] = waiting = new(TaskCreationOptions.RunContinuationsAsynchronously);
            return waiting.Task;
        }
    }

    public void Dispose() => _socket.Dispose();

    async Task ReadAsync()
    {
        try
        {
            while (await _socket.ReceiveAsync(_buffer.AsMemory()) is > 0 and var read) Take(_buffer.AsSpan(0, read));
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The stream was closed.
        }
    }

    /// <summary>Removes the chunked encoding, whose chunks may split lines.</summary>
    void Take(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            if (_chunkLeft > 0)
            {
                var some = Math.Min(_chunkLeft, bytes.Length);
                foreach (var b in bytes[..some]) TakeBody(b);
                _chunkLeft -= some;
                bytes = bytes[some..];
                continue;
            }

            if (bytes[0] == '\n') (_chunkLeft, _chunkSize) = (_chunkSize, 0);
            else if (bytes[0] != '\r') _chunkSize = (_chunkSize * 16) + byte.Parse(bytes[..1], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            bytes = bytes[1..];
        }
    }

    void TakeBody(byte b)
    {
        if (b != '\n')
        {
            if (_lineLength < _line.Length) _line[_lineLength++] = b;
            return;
        }

        var line = _line.AsSpan(0, _lineLength);
        _lineLength = 0;
        if (!line.StartsWith("data: {\"eventId\":"u8)) return;
        var digits = line["data: {\"eventId\":".Length..];
        var id = long.Parse(digits[..digits.IndexOf((byte)',')], CultureInfo.InvariantCulture);
        HeardAt = TimeProvider.System.GetUtcNow().UtcDateTime;
        lock (_lock)
        {
            _heard.Add(id);
            if (_waiting.Remove(id, out var waiting)) waiting.SetResult();
        }
    }
}
