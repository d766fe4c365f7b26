using Microsoft.Extensions.Time.Testing;

namespace Commerce.Tests.Unit.ServiceDefaults;

static class FakeTimeExtensions
{
    /// <summary>Lets the fake time pass in steps of 20 ms until the work is done.</summary>
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
            // What the last step set off runs on other threads and comes first.
            await Task.Delay(1, TestContext.Current.CancellationToken);
            clock.Advance(TimeSpan.FromMilliseconds(20));
        }
        await work;
    }
}
