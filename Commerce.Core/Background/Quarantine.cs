using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Commerce.Core.Background;

/// <summary>
/// Isolates rows that cannot be processed, so that they do not block others. A failing row is logged as an error, counted, and
/// retried at growing intervals of up to ten minutes. The state is in memory: after a restart every row is tried again.
/// </summary>
/// <param name="what">The name of the rows in log and metric.</param>
public sealed partial class Quarantine<TKey>(string what, TimeProvider clock, ILogger logger) where TKey : notnull
{
    static readonly UpDownCounter<long> SetAside = CommerceTelemetry.Meter.CreateUpDownCounter<long>("commerce.workers.set_aside");
    static readonly RetryPolicy RetryDelays = new() { BaseDelay = TimeSpan.FromSeconds(2), MaxDelay = TimeSpan.FromMinutes(10) };

    /// <summary>A limit for the memory. Single faults never affect so many rows. If it is reached, the quarantine is emptied.</summary>
    const int MaxRows = 10_000;

    readonly ConcurrentDictionary<TKey, Row> _rows = new();

    /// <summary>Whether the row is in quarantine.</summary>
    public bool Contains(TKey key) => _rows.TryGetValue(key, out var row) && clock.GetElapsedTime(row.Since) < row.For;

    /// <summary>
    /// Processes a row unless it is in quarantine. Returns false if it is in quarantine or enters it now. A transient fault is not caused
    /// by the row and is rethrown.
    /// </summary>
    public async Task<bool> TryAsync(TKey key, Func<Task> handle, CancellationToken cancellationToken)
    {
        if (Contains(key)) return false;
        try
        {
            await handle();
        }
        catch (Exception e) when (!TransientFaults.IsTransient(e) && !cancellationToken.IsCancellationRequested)
        {
            Put(key, e);
            return false;
        }

        if (_rows.TryRemove(key, out _)) SetAside.Add(-1, new KeyValuePair<string, object?>("what", what));
        return true;
    }

    /// <summary>Processes several rows, one after the other, like <see cref="TryAsync"/>.</summary>
    public async Task TryEachAsync(IEnumerable<TKey> keys, Func<TKey, Task> handle, CancellationToken cancellationToken)
    {
        foreach (var key in keys) await TryAsync(key, () => handle(key), cancellationToken);
    }

    void Put(TKey key, Exception fault)
    {
        if (_rows.Count >= MaxRows)
        {
            SetAside.Add(-_rows.Count, new KeyValuePair<string, object?>("what", what));
            _rows.Clear();
        }

        var row = _rows.AddOrUpdate(key, _ => New(1), (_, before) => New(before.Failures + 1));
        if (row.Failures == 1) SetAside.Add(1, new KeyValuePair<string, object?>("what", what));
        LogQuarantined(logger, what, key.ToString(), row.Failures, row.For.TotalSeconds, fault);

        Row New(int failures) => new(failures, clock.GetTimestamp(), RetryDelays.Delay(failures));
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The {What} {Key} cannot be handled (failure {Count}) and is quarantined for {Seconds:F0} s")]
    static partial void LogQuarantined(ILogger logger, string what, string? key, int count, double seconds, Exception exception);

    sealed record Row(int Failures, long Since, TimeSpan For);
}
