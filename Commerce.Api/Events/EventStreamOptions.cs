using System.ComponentModel.DataAnnotations;

namespace Commerce.Api.Events;

/// <summary>The live stream. Configuration section <c>Events:Stream</c>.</summary>
sealed class EventStreamOptions
{
    public const string Section = "Events:Stream";

    /// <summary>Streams on this replica: 1 to 100,000.</summary>
    [Range(1, 100_000)]
    public int MaxStreams { get; set; } = 20_000;

    /// <summary>Streams of one user on this replica: 1 to 1,000. One more ends the oldest.</summary>
    [Range(1, 1_000)]
    public int MaxStreamsPerUser { get; set; } = 6;

    /// <summary>How many openings are kept in memory for those who come back: 1 to 100,000. Who missed more reads the database.</summary>
    [Range(1, 100_000)]
    public int BufferedOpenings { get; set; } = 1024;

    /// <summary>A stream hears at least this often from us: 1 s to 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:01:00")]
    public TimeSpan Heartbeat { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>A client that took nothing for so long is dropped: 1 s to 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:01:00")]
    public TimeSpan ClientTimeout { get; set; } = TimeSpan.FromSeconds(5);
}
