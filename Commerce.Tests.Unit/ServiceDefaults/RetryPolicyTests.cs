using Commerce.ServiceDefaults;
using Microsoft.Extensions.Time.Testing;

namespace Commerce.Tests.Unit.ServiceDefaults;

public sealed class RetryPolicyTests
{
    readonly FakeTimeProvider _clock = new();

    [Fact]
    public void A_delay_doubles_up_to_its_cap()
    {
        var policy = new RetryPolicy { BaseDelay = TimeSpan.FromMilliseconds(100), MaxDelay = TimeSpan.FromSeconds(1), Jitter = 0 };

        Assert.Equal([100, 200, 400, 800, 1000, 1000], Enumerable.Range(1, 6).Select(n => policy.Delay(n).TotalMilliseconds));
        Assert.Equal(1000, policy.Delay(int.MaxValue).TotalMilliseconds);
    }

    [Fact]
    public void Jitter_only_shortens_a_delay_and_by_no_more_than_its_share()
    {
        var policy = new RetryPolicy { BaseDelay = TimeSpan.FromMilliseconds(100), Jitter = 0.5 };
        var delays = Enumerable.Range(0, 1000).Select(_ => policy.Delay(1).TotalMilliseconds).ToArray();

        Assert.All(delays, delay => Assert.InRange(delay, 50, 100));
        Assert.True(delays.Distinct().Count() > 100);
    }

    [Fact]
    public async Task Work_is_tried_as_often_as_told_and_then_its_error_shows()
    {
        var retries = new List<(int, TimeSpan)>();
        var tries = 0;
        var pipeline = new RetryPolicy { Attempts = 3, BaseDelay = TimeSpan.FromSeconds(1), Jitter = 0 }
            .ToPipeline(_ => true, _clock, (attempt, _, delay) => retries.Add((attempt, delay)));

        var run = pipeline.ExecuteAsync(
            _ =>
            {
                tries++;
                throw new TimeoutException();
            },
            TestContext.Current.CancellationToken).AsTask();

        await Assert.ThrowsAsync<TimeoutException>(() => _clock.RunAsync(run));
        Assert.Equal(3, tries);
        Assert.Equal([(1, TimeSpan.FromSeconds(1)), (2, TimeSpan.FromSeconds(2))], retries);
    }

    [Theory, InlineData(1), InlineData(5)]
    public async Task What_is_not_transient_is_tried_once(int attempts)
    {
        var tries = 0;
        var pipeline = new RetryPolicy { Attempts = attempts }.ToPipeline(e => e is TimeoutException, _clock);

        await Assert.ThrowsAsync<InvalidOperationException>(async () => await pipeline.ExecuteAsync(
            _ =>
            {
                tries++;
                throw new InvalidOperationException();
            },
            TestContext.Current.CancellationToken));
        Assert.Equal(1, tries);
    }
}
