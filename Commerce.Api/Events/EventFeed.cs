using System.Globalization;
using System.Text;
using System.Text.Json;
using Commerce.Core.Events;
using Microsoft.Extensions.Options;

namespace Commerce.Api.Events;

/// <summary>One opening as it goes to every client: serialised once.</summary>
sealed record EventFrame(long Seq, long EventId, byte[] Bytes)
{
    public static EventFrame Of(EventOpened opened)
    {
        var data = JsonSerializer.Serialize(new OpenedData(opened.EventId, opened.Name, opened.OpenedAt), ApiJson.Default.OpenedData);
        return new(opened.Seq, opened.EventId,
            Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"id: {opened.Seq}\nevent: EVENT_OPEN\ndata: {data}\n\n")));
    }

    /// <summary>
    /// The first of every stream: from which number it goes on. A client that hears of nothing else before it is cut comes back with this one.
    /// </summary>
    public static byte[] Ready(long position) => Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"id: {position}\nevent: READY\ndata: {{}}\n\n"));
}

/// <summary>The data of an <c>EVENT_OPEN</c> in the stream.</summary>
sealed record OpenedData(long EventId, string Name, DateTime OpenedAt);

/// <summary>
/// The last openings of this replica, in their order and without a gap. One writes, all clients read: each only remembers how far it has come, so a
/// client that waits holds no queue.
/// </summary>
sealed class EventFeed(IOptions<EventStreamOptions> options)
{
    readonly EventFrame?[] _frames = new EventFrame?[options.Value.BufferedOpenings];
    long _last = -1;

    /// <summary>How many are remembered. Who is further behind reads the database.</summary>
    public int Capacity => _frames.Length;

    /// <summary>The number of the last opening; below 0 until it is known.</summary>
    public long Last => Volatile.Read(ref _last);

    /// <summary>
    /// Says where to begin, with the openings before: at the start, and where the database was restored from a copy. Clients that come with no number begin
    /// here, so nothing old is to follow.
    /// </summary>
    public void Begin(long last, IEnumerable<EventFrame> before)
    {
        foreach (var frame in before) Volatile.Write(ref _frames[frame.Seq % _frames.Length], frame);
        Volatile.Write(ref _last, last);
    }

    /// <summary>Raised before any client can hear of one more opening.</summary>
    public event Action? Adding;

    /// <summary>Adds the opening that follows the last.</summary>
    public void Add(EventFrame frame)
    {
        Adding?.Invoke();
        Volatile.Write(ref _frames[frame.Seq % _frames.Length], frame);
        Volatile.Write(ref _last, frame.Seq);
    }

    /// <summary>The opening with this number; null where it is not remembered.</summary>
    public EventFrame? Find(long seq) => Volatile.Read(ref _frames[seq % _frames.Length]) is { } frame && frame.Seq == seq ? frame : null;
}
