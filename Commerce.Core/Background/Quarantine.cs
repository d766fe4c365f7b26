using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Commerce.ServiceDefaults;
using Microsoft.Extensions.Logging;

namespace Commerce.Core.Background;

/// <summary>
/// Rows that cannot be handled, so that one of them holds up none of the others: it is set aside with an error in the log and in a metric, and tried again
/// at growing distances, up to ten minutes. Remembered in this process only: after a restart it is tried, and set aside, once more.
/// </summary>
/// <param name="what">What the rows are, for log and metric.</param>
public sealed partial class Quarantine<TKey>(string what, TimeProvider clock, ILogger logger) where TKey : notnull
{
    static readonly UpDownCounter<long> Aside = CommerceTelemetry.Meter.CreateUpDownCounter<long>("commerce.workers.set_aside");
    static readonly RetryPolicy Again = new() { BaseDelay = TimeSpan.FromSeconds(2), MaxDelay = TimeSpan.FromMinutes(10) };

    /// <summary>More than any fault of single rows brings.</summary>
    const int MaxRows = 10_000;

    readonly ConcurrentDictionary<TKey, Row> _rows = new();

    /// <summary>Whether the row is aside at this moment.</summary>
    public bool Contains(TKey key) => _rows.TryGetValue(key, out var row) && clock.GetElapsedTime(row.Since) < row.For;

    /// <summary>
    /// Handles a row, unless it is aside. False where it is, or is from now on. A fault of a dependency is none of the row's: it is thrown.
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

        if (_rows.TryRemove(key, out _)) Aside.Add(-1, new KeyValuePair<string, object?>("what", what));
        return true;
    }

    /// <summary>The same for many, one after the other.</summary>
    public async Task TryEachAsync(IEnumerable<TKey> keys, Func<TKey, Task> handle, CancellationToken cancellationToken)
    {
        foreach (var key in keys) await TryAsync(key, () => handle(key), cancellationToken);
    }

    void Put(TKey key, Exception fault)
    {
        if (_rows.Count >= MaxRows)
        {
            Aside.Add(-_rows.Count, new KeyValuePair<string, object?>("what", what));
            _rows.Clear();
        }

        var row = _rows.AddOrUpdate(key, _ => New(1), (_, before) => New(before.Failures + 1));
        if (row.Failures == 1) Aside.Add(1, new KeyValuePair<string, object?>("what", what));
        LogQuarantined(logger, what, key.ToString(), row.Failures, row.For.TotalSeconds, fault);

        Row New(int failures) => new(failures, clock.GetTimestamp(), Again.Delay(failures));
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The {What} {Key} cannot be handled (failure {Count}) and is quarantined for {Seconds:F0} s")]
    static partial void LogQuarantined(ILogger logger, string what, string? key, int count, double seconds, Exception exception);

    sealed record Row(int Failures, long Since, TimeSpan For);
}
