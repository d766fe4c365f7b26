using System.Collections.Concurrent;
using Microsoft.Extensions.Time.Testing;

namespace Commerce.Tests.Unit.ServiceDefaults;

static class FakeTimeExtensions
{
    /// <summary>Advances the fake time in steps of 20 ms until the work is done.</summary>
    public static async Task<T> RunAsync<T>(this FakeTimeProvider clock, Task<T> work)
    {
        await RunAsync(clock, (Task)work);
        return await work;
    }

    /// <inheritdoc cref="RunAsync{T}"/>
    public static async Task RunAsync(this FakeTimeProvider clock, Task work)
    {
        while (!work.IsCompleted)
        {
            // The work of the last step runs on other threads and finishes first.
            await Task.Delay(1, TestContext.Current.CancellationToken);
            clock.Advance(TimeSpan.FromMilliseconds(20));
        }
        await work;
    }
}

/// <summary>A fake clock that records the requested waits. They are exact, even on a slow machine.</summary>
sealed class RecordingClock() : FakeTimeProvider(new DateTimeOffset(2026, 5, 1, 0, 0, 0, TimeSpan.Zero))
{
    readonly ConcurrentQueue<TimeSpan> _waits = [];

    /// <summary>The requested waits, in the order of their start.</summary>
    public IReadOnlyList<TimeSpan> Waits => [.. _waits];

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        Asked(dueTime);
        return new RecordedTimer(this, base.CreateTimer(callback, state, dueTime, period));
    }

    void Asked(TimeSpan dueTime)
    {
        if (dueTime != Timeout.InfiniteTimeSpan) _waits.Enqueue(dueTime);
    }

    sealed class RecordedTimer(RecordingClock clock, ITimer timer) : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            clock.Asked(dueTime);
            return timer.Change(dueTime, period);
        }

        public void Dispose() => timer.Dispose();

        public ValueTask DisposeAsync() => timer.DisposeAsync();
    }
}
