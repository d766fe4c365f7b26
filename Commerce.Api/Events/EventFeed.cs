using System.Globalization;
using System.Text;
using System.Text.Json;
using Commerce.Core.Events;
using Microsoft.Extensions.Options;

namespace Commerce.Api.Events;

/// <summary>One opening, serialised once for all clients.</summary>
sealed record EventFrame(long Seq, long EventId, byte[] Bytes)
{
    public static EventFrame Of(EventOpened opened)
    {
        var data = JsonSerializer.Serialize(new OpenedData(opened.EventId, opened.Name, opened.OpenedAt), ApiJson.Default.OpenedData);
        return new(opened.Seq, opened.EventId,
            Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"id: {opened.Seq}\nevent: EVENT_OPEN\ndata: {data}\n\n")));
    }

    /// <summary>
    /// Returns the first event of every stream, which contains the start position. A client that is disconnected before the first opening
    /// resumes from it.
    /// </summary>
    public static byte[] Ready(long position) => Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"id: {position}\nevent: READY\ndata: {{}}\n\n"));
}

/// <summary>The data of an <c>EVENT_OPEN</c> in the stream.</summary>
sealed record OpenedData(long EventId, string Name, DateTime OpenedAt);

/// <summary>
/// The last openings of this replica, in order and without gaps. One thread writes, and all clients read. A client only remembers its
/// position, so waiting clients need no queue.
/// </summary>
sealed class EventFeed(IOptions<EventStreamOptions> options)
{
    readonly EventFrame?[] _frames = new EventFrame?[options.Value.BufferedOpenings];
    long _last = -1;

    /// <summary>The number of openings in memory. Clients that are further behind are served from the database.</summary>
    public int Capacity => _frames.Length;

    /// <summary>The number of the last opening. It is negative until it is known.</summary>
    public long Last => Volatile.Read(ref _last);

    /// <summary>
    /// Sets the start position and the openings before it. Called at startup, and after the database was restored from a backup. A client
    /// without a position starts here and receives no older openings.
    /// </summary>
    public void Begin(long last, IEnumerable<EventFrame> before)
    {
        foreach (var frame in before) Volatile.Write(ref _frames[frame.Seq % _frames.Length], frame);
        Volatile.Write(ref _last, last);
    }

    /// <summary>Raised before any client can see the next opening.</summary>
    public event Action? Adding;

    /// <summary>Adds the next opening.</summary>
    public void Add(EventFrame frame)
    {
        Adding?.Invoke();
        Volatile.Write(ref _frames[frame.Seq % _frames.Length], frame);
        Volatile.Write(ref _last, frame.Seq);
    }

    /// <summary>Returns the opening with this number, or null if it is no longer in memory.</summary>
    public EventFrame? Find(long seq) => Volatile.Read(ref _frames[seq % _frames.Length]) is { } frame && frame.Seq == seq ? frame : null;
}
