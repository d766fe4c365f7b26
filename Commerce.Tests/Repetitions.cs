using System.Collections.Concurrent;
using Commerce.Tests;

[assembly: AssemblyFixture(typeof(Repetitions))]

namespace Commerce.Tests;

/// <summary>
/// Counts repetitions because of dependency timeouts, and reports them at the end. If <c>COMMERCE_REPETITIONS</c> names a file, each
/// repetition is a line in it.
/// </summary>
public sealed class Repetitions : IDisposable
{
    static readonly ConcurrentQueue<string> s_all = [];

    /// <summary>Records a repetition.</summary>
    public static void Add(Exception why)
    {
        var line = $"{TestContext.Current.Test?.TestDisplayName}: {why.GetType().Name}: {why.Message.ReplaceLineEndings(" ")}";
        s_all.Enqueue(line);
        TestContext.Current.TestOutputHelper?.WriteLine($"Again, because of: {why}");
        if (Environment.GetEnvironmentVariable("COMMERCE_REPETITIONS") is { Length: > 0 } file) File.AppendAllText(file, line + Environment.NewLine);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var line in s_all) Console.WriteLine($"Repeated: {line}");
        Console.WriteLine($"Repeated because a dependency did not answer in time: {s_all.Count}");
    }
}
