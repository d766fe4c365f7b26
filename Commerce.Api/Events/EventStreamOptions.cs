using System.ComponentModel.DataAnnotations;

namespace Commerce.Api.Events;

/// <summary>The live stream. Configuration section <c>Events:Stream</c>.</summary>
sealed class EventStreamOptions
{
    public const string Section = "Events:Stream";

    /// <summary>Maximum number of streams on this replica: 1 to 100,000.</summary>
    [Range(1, 100_000)]
    public int MaxStreams { get; set; } = 20_000;

    /// <summary>Maximum number of streams of one user on this replica: 1 to 1,000. A further stream replaces the oldest.</summary>
    [Range(1, 1_000)]
    public int MaxStreamsPerUser { get; set; } = 6;

    /// <summary>Number of openings in memory for reconnecting clients: 1 to 100,000. Older ones are read from the database.</summary>
    [Range(1, 100_000)]
    public int BufferedOpenings { get; set; } = 1024;

    /// <summary>Maximum time between two writes to a stream: 1 s to 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:01:00")]
    public TimeSpan Heartbeat { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>A client that does not read for this long is disconnected: 1 s to 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:01:00")]
    public TimeSpan ClientTimeout { get; set; } = TimeSpan.FromSeconds(5);
}
