using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Commerce.Core.Database;
using Commerce.Core.Events;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests;

/// <summary>Helpers for tests with events.</summary>
public static class EventStories
{
    /// <summary>
    /// The maximum delay by MySQL's clock: many intervals of the poller, which runs four times a second. The recovery of this stack runs
    /// once an hour.
    /// </summary>
    public static TimeSpan MaxDelay { get; } = TimeSpan.FromSeconds(20);

    /// <summary>Creates an event that opens in this many seconds. Null creates a draft.</summary>
    public static async Task<SaleEvent> EventAsync(
        this CommerceStack stack, double? opensIn, double? closesIn = null, IReadOnlyList<long>? couponIds = null, string? name = null,
        IReadOnlyList<long>? productIds = null, int? waitingRoomRate = null, int? maxPerCustomer = null)
    {
        var now = TimeProvider.System.GetUtcNow();
        using var answer = await stack.Admin.PostAsJsonAsync("/api/admin/events", new
        {
            name = name ?? TestContext.Current.TestMethod?.MethodName ?? "test",
            opensAt = opensIn is { } opens ? now.AddSeconds(opens) : (DateTimeOffset?)null,
            closesAt = closesIn is { } closes ? now.AddSeconds(closes) : (DateTimeOffset?)null,
            couponIds, productIds, waitingRoomRate, maxPerCustomer,
        });
        Assert.True(answer.StatusCode == HttpStatusCode.Created, await answer.Content.ReadAsStringAsync());
        var created = (await answer.Content.ReadFromJsonAsync<SaleEvent>())!;
        stack.CreatedEvents.Add(created.Id);
        return created;
    }

    /// <summary>Calls an action of administrators: open, cancel, schedule.</summary>
    public static Task<HttpResponseMessage> EventActionAsync(this CommerceStack stack, long id, string action, object? body = null) =>
        stack.Admin.PostAsJsonAsync($"/api/admin/events/{id}/{action}", body ?? new { });

    /// <summary>Reschedules a pending event to open in this many seconds.</summary>
    public static async Task RescheduleAsync(this CommerceStack stack, long id, double opensIn)
    {
        using var answer = await stack.EventActionAsync(id, "schedule", new { opensAt = TimeProvider.System.GetUtcNow().AddSeconds(opensIn) });
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
    }

    /// <summary>The public view of the event.</summary>
    public static async Task<SaleEvent> FindEventAsync(this CommerceStack stack, long id) =>
        (await stack.Anonymous.GetFromJsonAsync<SaleEvent>($"/api/events/{id}"))!;

    /// <summary>Waits until the event has this status, even if poller and listener missed it.</summary>
    public static Task<SaleEvent> EventIsAsync(this CommerceStack stack, long id, string status) =>
        Eventually.GetAsync(() => stack.FindEventAsync(id), e => e.Status == status, TimeSpan.FromMinutes(2));

    /// <summary>Who opened an event: one of <see cref="OpenedBy"/>.</summary>
    public static async Task<string> OpenedByAsync(this CommerceStack stack, long id) => (await stack.Services.GetRequiredService<MySqlDatabase>().SingleAsync<string>(
        "SELECT opened_by FROM event WHERE id = @id", new { id }, TestContext.Current.CancellationToken))!;

    /// <summary>The number of messages about the opening.</summary>
    public static Task<int> OpeningMessagesAsync(this CommerceStack stack, long id) => stack.Services.GetRequiredService<MySqlDatabase>().SingleAsync<int>(
        "SELECT COUNT(*) FROM outbox WHERE message_id = @id", new { id = EventOpened.IdOf(id) }, TestContext.Current.CancellationToken);

    /// <summary>Waits until this time. Returns at once if it has passed.</summary>
    public static async Task UntilAsync(DateTime transition)
    {
        var left = transition - TimeProvider.System.GetUtcNow().UtcDateTime;
        if (left > TimeSpan.Zero) await Task.Delay(left, TestContext.Current.CancellationToken);
    }

    /// <summary>Waits for these events. Poller or listener opens them, without the recovery.</summary>
    public static async Task OpenInTimeAsync(this CommerceStack stack, params IEnumerable<SaleEvent> events)
    {
        foreach (var one in events)
        {
            var opened = await stack.EventIsAsync(one.Id, EventStatus.Open);
            Assert.InRange(opened.OpenedAt!.Value - opened.OpensAt!.Value, TimeSpan.Zero, MaxDelay);
            Assert.Contains(await stack.OpenedByAsync(one.Id), new[] { OpenedBy.Poll, OpenedBy.Listener });
        }
    }

    /// <summary>Opens a live stream.</summary>
    public static Task<EventStreamReader> StreamAsync(this HttpClient client, string query = "", long? lastEventId = null) =>
        EventStreamReader.OpenAsync(client, "/api/events/stream" + query, lastEventId);
}

/// <summary>A browser that follows <c>/api/events/stream</c> until it is closed.</summary>
public sealed class EventStreamReader : IDisposable
{
    readonly HttpResponseMessage _answer;
    readonly CancellationTokenSource _closing = new();
    readonly Lock _lock = new();
    readonly List<LiveEvent> _events = [];

    EventStreamReader(HttpResponseMessage answer) => _answer = answer;

    /// <summary>The response headers.</summary>
    public HttpResponseMessage Head => _answer;

    /// <summary>The events received so far.</summary>
    public IReadOnlyList<LiveEvent> Events
    {
        get
        {
            lock (_lock) return [.. _events];
        }
    }

    /// <summary>The heartbeats received so far.</summary>
    public int Heartbeats { get; private set; }

    /// <summary>The start position that the stream announced.</summary>
    public long? Ready { get; private set; }

    /// <summary>The reconnect times in ms, in order.</summary>
    public IReadOnlyList<int> Retries { get; private set; } = [];

    /// <summary>Completes when the server has ended the stream. True: gracefully. False: by aborting the connection.</summary>
    public Task<bool> Ended { get; private set; } = null!;

    public static async Task<EventStreamReader> OpenAsync(HttpClient client, string address, long? lastEventId)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        if (lastEventId is { } id) request.Headers.Add("Last-Event-ID", id.ToString(CultureInfo.InvariantCulture));
        var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        var reader = new EventStreamReader(answer);
        if (!answer.IsSuccessStatusCode) return reader;
        reader.Ended = reader.ReadAsync();
        // The server sends the headers before it adds the client.
        await Eventually.GetAsync(() => Task.FromResult(reader.Ready), ready => ready is not null);
        return reader;
    }

    /// <summary>Waits for the opening of an event and returns all received openings of it, which should be one.</summary>
    public async Task<LiveEvent> OpeningOfAsync(long eventId, TimeSpan? deadline = null)
    {
        await Eventually.GetAsync(() => Task.FromResult(Events.Count(e => e.EventId == eventId)), count => count > 0, deadline);
        return Events.Single(e => e.EventId == eventId);
    }

    /// <summary>Aborts the connection.</summary>
    public void Dispose()
    {
        _closing.Cancel();
        _answer.Dispose();
    }

    async Task<bool> ReadAsync()
    {
        var fields = new Dictionary<string, string>();
        try
        {
            using var lines = new StreamReader(await _answer.Content.ReadAsStreamAsync(_closing.Token));
            while (await lines.ReadLineAsync(_closing.Token) is { } line)
            {
                if (line.StartsWith(':')) Heartbeats++;
                else if (line.Length > 0) fields[line[..line.IndexOf(':', StringComparison.Ordinal)]] = line[(line.IndexOf(':', StringComparison.Ordinal) + 2)..];
                else Take(fields);
            }

            return true;
        }
        catch (Exception e) when (e is IOException or HttpRequestException or OperationCanceledException or ObjectDisposedException)
        {
            return false;
        }
    }

    void Take(Dictionary<string, string> fields)
    {
        if (fields.TryGetValue("retry", out var retry)) Retries = [.. Retries, int.Parse(retry, CultureInfo.InvariantCulture)];
        if (fields.TryGetValue("data", out var data))
        {
            var id = long.Parse(fields["id"], CultureInfo.InvariantCulture);
            if (fields["event"] == "READY") Ready = id;
            else
                lock (_lock) _events.Add(new(id, fields["event"], (long)JsonNode.Parse(data)!["eventId"]!, data));
        }

        fields.Clear();
    }
}

/// <summary>One event of the stream.</summary>
public sealed record LiveEvent(long Id, string Type, long EventId, string Data);
