using System.Diagnostics;

namespace Commerce.Tests;

/// <summary>Waits for what must become true, instead of sleeping for as long as it may take.</summary>
public static class Eventually
{
    /// <summary>Asks again and again until <paramref name="holds"/> accepts the answer; fails with the last answer after the deadline.</summary>
    public static async Task<T> GetAsync<T>(Func<Task<T>> ask, Predicate<T> holds, TimeSpan? deadline = null)
    {
        var limit = deadline ?? TimeSpan.FromSeconds(20);
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            var answer = await ask();
            if (holds(answer)) return answer;
            if (Stopwatch.GetElapsedTime(start) > limit) Assert.Fail($"After {limit.TotalSeconds:F0} s still {answer}.");
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }
    }

    /// <summary>Asks until the answer is <paramref name="expected"/>.</summary>
    public static Task<T> EqualAsync<T>(T expected, Func<Task<T>> ask, TimeSpan? deadline = null) =>
        GetAsync(ask, answer => EqualityComparer<T>.Default.Equals(answer, expected), deadline);
}
