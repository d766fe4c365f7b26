using System.Diagnostics;
using System.Net;
using Commerce.ServiceDefaults;

namespace Commerce.Tests;

/// <summary>Waits for a condition instead of sleeping.</summary>
public static class Eventually
{
    const int Tries = 3;

    static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    /// <summary>The time limit for a definite response. No fault in a test lasts longer.</summary>
    static readonly TimeSpan LastMoment = TimeSpan.FromMinutes(5);

    /// <summary>
    /// Repeats a query until <paramref name="holds"/> accepts its result; fails with the last result after the deadline. A dependency
    /// that does not respond in time is ignored.
    /// </summary>
    public static async Task<T> GetAsync<T>(Func<Task<T>> ask, Predicate<T> holds, TimeSpan? deadline = null)
    {
        var limit = deadline ?? Timeout;
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            string? last;
            try
            {
                var answer = await ask();
                if (holds(answer)) return answer;
                last = answer?.ToString();
            }
            catch (Exception e) when (e is not Xunit.Sdk.IAssertionException && TransientFaults.IsTransient(e))
            {
                last = e.Message;
            }

            if (Stopwatch.GetElapsedTime(start) > limit) Assert.Fail($"After {limit.TotalSeconds:F0} s still {last}.");
            await Task.Delay(50, TestContext.Current.CancellationToken);
        }
    }

    /// <summary>Repeats a query until its result is <paramref name="expected"/>.</summary>
    public static Task<T> EqualAsync<T>(T expected, Func<Task<T>> ask, TimeSpan? deadline = null) =>
        GetAsync(ask, answer => EqualityComparer<T>.Default.Equals(answer, expected), deadline);

    /// <summary>Waits before a request is repeated.</summary>
    /// <param name="start">
    /// The time of the first attempt. After five minutes the test fails. Otherwise a server that is gone for good would hang it.
    /// </param>
    /// <param name="last">The last answer.</param>
    public static async Task PauseAsync(long start, object? last)
    {
        if (Stopwatch.GetElapsedTime(start) > LastMoment) Assert.Fail($"After {LastMoment.TotalMinutes:F0} min still {last}.");
        await Task.Delay(100, TestContext.Current.CancellationToken);
    }

    /// <summary>Repeats a safe action until a dependency that timed out has responded.</summary>
    public static Task<T> DoneAsync<T>(Func<Task<T>> work) => GetAsync(work, _ => true);

    /// <summary>
    /// Repeats a test from its start, at most twice, if a dependency timed out and the test cannot continue. Each repetition is counted
    /// (<see cref="Repetitions"/>). Failed assertions are never repeated.
    /// </summary>
    public static async Task UnspoiltAsync(Func<Task> attempt)
    {
        for (var i = 1; ; i++)
        {
            try
            {
                await attempt();
                return;
            }
            catch (Exception e) when (i < Tries && Unanswered(e))
            {
                Repetitions.Add(e);
            }
        }
    }

    /// <summary>A failed assertion may carry a transient fault, and a response with a wrong status is a response.</summary>
    static bool Unanswered(Exception e) =>
        e is not Xunit.Sdk.IAssertionException and not HttpRequestException { StatusCode: not (null or HttpStatusCode.ServiceUnavailable) } && TransientFaults.IsTransient(e);
}
