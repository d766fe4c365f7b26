using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace Commerce.Tests;

/// <summary>Records measurements of a counter of this process.</summary>
public sealed class CounterListener : IDisposable
{
    readonly MeterListener _listener;
    readonly ConcurrentQueue<IReadOnlyDictionary<string, object?>> _tags = [];

    /// <param name="name">The name of the instrument.</param>
    public CounterListener(string name)
    {
        _listener = new()
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == name) listener.EnableMeasurementEvents(instrument);
            },
        };
        _listener.SetMeasurementEventCallback<long>((_, count, tags, _) =>
        {
            var all = tags.ToArray().ToDictionary();
            for (var i = 0; i < count; i++) _tags.Enqueue(all);
        });
        _listener.Start();
    }

    /// <summary>The tags of each measurement.</summary>
    public IReadOnlyCollection<IReadOnlyDictionary<string, object?>> Counted => _tags;

    public void Dispose() => _listener.Dispose();
}

/// <summary>Records measurements of a gauge of this process.</summary>
public sealed class GaugeListener : IDisposable
{
    readonly MeterListener _listener;

    /// <param name="name">The name of the instrument.</param>
    public GaugeListener(string name)
    {
        _listener = new()
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == name) listener.EnableMeasurementEvents(instrument);
            },
        };
        _listener.SetMeasurementEventCallback<long>((_, value, _, _) => Last = value);
        _listener.Start();
    }

    /// <summary>The last value; null if there is none yet.</summary>
    public long? Last { get; private set; }

    public void Dispose() => _listener.Dispose();
}
