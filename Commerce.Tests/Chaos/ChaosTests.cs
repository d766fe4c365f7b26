using System.Globalization;

namespace Commerce.Tests.Chaos;

/// <summary>Whatever breaks, in whatever order, every promise is kept.</summary>
public sealed class ChaosTests(CommerceStack stack) : StackTests(stack)
{
    /// <summary>The least number of requests of a run.</summary>
    const int Operations = 2000;

    static readonly TimeSpan Time = TimeSpan.FromSeconds(25);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public Task Random_faults_break_no_promise(int seed) => RunAsync(seed, Time);

    /// <summary>Run by <c>./commerce chaos</c>, which sets the variables.</summary>
    [Fact(Explicit = true)]
    public Task Random_faults_break_no_promise_for_as_long_as_asked() => RunAsync(
        int.Parse(Environment.GetEnvironmentVariable("CHAOS_SEED") ?? "1", CultureInfo.InvariantCulture),
        TimeSpan.FromMinutes(double.Parse(Environment.GetEnvironmentVariable("CHAOS_MINUTES") ?? "5", CultureInfo.InvariantCulture)));

    async Task RunAsync(int seed, TimeSpan time)
    {
        var run = new ChaosRun(Stack, seed);
        await run.RunAsync(Operations, time, Cancelled);
        TestContext.Current.TestOutputHelper?.WriteLine($"seed {seed}: {run.Operations} requests: {run.Summary}");
        await AuditAsync(TimeSpan.FromMinutes(3));
        await run.CheckPromisesAsync(Cancelled);
    }
}
