using System.Diagnostics;
using System.Net;
using Commerce.ServiceDefaults;

namespace Commerce.Tests;

/// <summary>Waits for what must become true, instead of sleeping for as long as it may take.</summary>
public static class Eventually
{
    const int Tries = 3;

    static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    /// <summary>
    /// Asks again and again until <paramref name="holds"/> accepts the answer; fails with the last answer after the deadline. A dependency that
    /// does not answer in time has said nothing.
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

    /// <summary>Asks until the answer is <paramref name="expected"/>.</summary>
    public static Task<T> EqualAsync<T>(T expected, Func<Task<T>> ask, TimeSpan? deadline = null) =>
        GetAsync(ask, answer => EqualityComparer<T>.Default.Equals(answer, expected), deadline);

    /// <summary>Does what is safe to repeat until a dependency that did not answer in time has answered.</summary>
    public static Task<T> DoneAsync<T>(Func<Task<T>> work) => GetAsync(work, _ => true);

    /// <summary>
    /// Runs a test from its start again, twice at most, where a dependency did not answer in time and the test cannot go on from there. Each time is
    /// counted (<see cref="Repetitions"/>). What an assertion found stays found.
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

    /// <summary>A failed assertion may carry the fault of a dependency, and an answer with a wrong status is an answer.</summary>
    static bool Unanswered(Exception e) =>
        e is not Xunit.Sdk.IAssertionException and not HttpRequestException { StatusCode: not (null or HttpStatusCode.ServiceUnavailable) } && TransientFaults.IsTransient(e);
}
