using System.ComponentModel.DataAnnotations;

namespace Commerce.Core.Outbox;

/// <summary>The outbox relay. Configuration section <c>Outbox</c>.</summary>
public sealed record OutboxOptions
{
    public const string Section = "Outbox";

    /// <summary>How often a relay polls without being woken: 100 ms to 1 min.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "00:01:00")]
    public TimeSpan Poll { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>The minimum time from the start of a small batch to the next one of the same relay: 0 to 1 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:01")]
    public TimeSpan Gather { get; init; } = TimeSpan.FromMilliseconds(12);

    /// <summary>How long a claim of shards lasts: 8 s to 5 min. If a relay dies, its shards wait this long.</summary>
    [Range(typeof(TimeSpan), "00:00:08", "00:05:00")]
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Maximum number of rows per batch: 1 to 10,000.</summary>
    [Range(1, 10_000)]
    public int BatchSize { get; init; } = 5000;

    /// <summary>Number of relays per process: 1 to 8.</summary>
    [Range(1, 8)]
    public int Relays { get; init; } = 4;

    /// <summary>How long sent messages (from their creation) and inbox rows are kept: 1 min to 366 days.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "366.00:00:00")]
    public TimeSpan KeepSent { get; init; } = TimeSpan.FromDays(7);

    /// <summary>How long dead letters are kept: 1 min to 366 days. Open dead letters are kept until they are settled.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "366.00:00:00")]
    public TimeSpan KeepDeadLetters { get; init; } = TimeSpan.FromDays(30);

    /// <summary>The retries of a message that the brokers reject. After the last attempt it is DEAD.</summary>
    public RetryPolicy Retries { get; init; } =
        new() { Attempts = 10, BaseDelay = TimeSpan.FromSeconds(1), MaxDelay = TimeSpan.FromMinutes(5) };

    /// <summary>The waits while the brokers or MySQL are unavailable. The policy's number of attempts is ignored.</summary>
    public RetryPolicy Outages { get; init; } =
        new() { BaseDelay = TimeSpan.FromMilliseconds(200), MaxDelay = TimeSpan.FromSeconds(5) };
}
