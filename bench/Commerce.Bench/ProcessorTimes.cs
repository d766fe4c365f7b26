using System.Globalization;

namespace Commerce.Bench;

/// <summary>The processor time of every server, including its idle work. It depends less on the machine than a rate does.</summary>
sealed class ProcessorTimes
{
    static readonly (string Resource, string Name)[] Servers =
        [("mysql", "MySQL"), ("api", "Api"), ("workers", "Workers"), ("payment-sandbox", "gateway"), ("redis", "Redis"), ("kafka", "Kafka")];

    readonly TimeSpan[] _times;

    ProcessorTimes(TimeSpan[] times) => _times = times;

    public static ProcessorTimes None { get; } = new(new TimeSpan[Servers.Length]);

    public static async Task<ProcessorTimes> ReadAsync(BenchStack stack) => new(await Task.WhenAll(Servers.Select(s => stack.ProcessorTimeAsync(s.Resource))));

    public static ProcessorTimes operator +(ProcessorTimes a, ProcessorTimes b) => new([.. a._times.Zip(b._times, (x, y) => x + y)]);

    public static ProcessorTimes operator -(ProcessorTimes a, ProcessorTimes b) => new([.. a._times.Zip(b._times, (x, y) => x - y)]);

    /// <summary>Returns the sum and the share of each server per unit of <paramref name="count"/>, in ms.</summary>
    public string ForEach(long count) => ForEach(count, t => t.TotalMilliseconds, "ms", "F2");

    /// <summary>Returns the sum and the share of each server per unit of <paramref name="count"/>, in µs.</summary>
    public string MicrosecondsForEach(long count) => ForEach(count, t => t.TotalMicroseconds, "µs", "F1");

    string ForEach(long count, Func<TimeSpan, double> measure, string unit, string format)
    {
        var each = Array.ConvertAll(_times, t => measure(t) / count);
        return $"{Text(each.Sum())} {unit}: {string.Join(", ", Servers.Zip(each, (s, value) => $"{s.Name} {Text(value)}"))}";

        string Text(double value) => value.ToString(format, CultureInfo.InvariantCulture);
    }
}
