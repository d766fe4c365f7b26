using System.Globalization;

namespace Commerce.Tests.Faults.Chaos;

/// <summary>Every promise is kept, whatever fails and in whatever order.</summary>
public sealed class ChaosTests(CommerceStack stack) : StackTests(stack)
{
    /// <summary>The minimum number of requests of a run.</summary>
    const int Operations = 2000;

    const double SecondsOfEach = 15;

    /// <summary>
    /// Seeds with minimum durations in seconds. The seed of <c>./commerce chaos</c>, or three consecutive seeds, which cover all faults.
    /// </summary>
    public static TheoryData<int, double> Runs => Environment.GetEnvironmentVariable("CHAOS_SEED") is { Length: > 0 } seed
        ? new() { { int.Parse(seed, CultureInfo.InvariantCulture), 60 * double.Parse(Environment.GetEnvironmentVariable("CHAOS_MINUTES")!, CultureInfo.InvariantCulture) } }
        : new() { { 1, SecondsOfEach }, { 2, SecondsOfEach }, { 3, SecondsOfEach } };

    [Theory]
    [MemberData(nameof(Runs))]
    public async Task Random_faults_break_no_promise(int seed, double seconds)
    {
        var run = new ChaosRun(Stack, seed);
        try
        {
            await run.RunAsync(Operations, TimeSpan.FromSeconds(seconds), Cancelled);
            await CheckConsistencyAsync();
            await run.CheckPromisesAsync(Cancelled);
            await run.CheckFaultsAsync(Cancelled);
        }
        finally
        {
            TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}: {run.Faults}; {run.Operations} requests: {run.Summary}");
        }
    }
}
