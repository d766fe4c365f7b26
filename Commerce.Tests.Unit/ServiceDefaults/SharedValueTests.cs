using Commerce.ServiceDefaults;
using Microsoft.Extensions.Time.Testing;

namespace Commerce.Tests.Unit.ServiceDefaults;

public sealed class SharedValueTests
{
    static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(1);

    readonly FakeTimeProvider _clock = new();
    int _loads;

    [Fact]
    public async Task Many_at_once_cost_one_load_and_it_is_kept_for_its_time()
    {
        var value = new SharedValue<int>(MaxAge, _clock);
        var gate = new TaskCompletionSource();
        var first = Enumerable.Range(0, 100).Select(_ => value.GetAsync(() => LoadAsync(gate.Task))).ToList();
        // The load takes longer than the maximum age, and concurrent callers still share it.
        _clock.Advance(MaxAge * 3);
        first.Add(value.GetAsync(() => LoadAsync(gate.Task)));
        gate.SetResult();

        Assert.All(await Task.WhenAll(first), loaded => Assert.Equal(1, loaded));
        // The value was loaded three seconds ago.
        Assert.Equal(2, await value.GetAsync(() => LoadAsync(Task.CompletedTask)));
        Assert.Equal(2, await value.GetAsync(() => LoadAsync(Task.CompletedTask)));
        _clock.Advance(MaxAge);
        Assert.Equal(3, await value.GetAsync(() => LoadAsync(Task.CompletedTask)));
        value.Forget();
        Assert.Equal(4, await value.GetAsync(() => LoadAsync(Task.CompletedTask)));
    }

    [Fact]
    public async Task What_was_being_loaded_when_it_was_forgotten_is_given_to_nobody_who_comes_later()
    {
        var value = new SharedValue<int>(MaxAge, _clock);
        var gate = new TaskCompletionSource();
        var before = value.GetAsync(() => LoadAsync(gate.Task));
        await Eventually.EqualAsync(1, () => Task.FromResult(Volatile.Read(ref _loads)));

        value.Forget();
        var after = value.GetAsync(() => LoadAsync(gate.Task));
        gate.SetResult();

        Assert.Equal((1, 2), (await before, await after));
    }

    [Fact]
    public async Task A_failure_is_told_to_all_who_wait_and_is_not_kept()
    {
        var value = new SharedValue<int>(MaxAge, _clock);
        var gate = new TaskCompletionSource();
        var waiting = Enumerable.Range(0, 3).Select(_ => value.GetAsync(() => LoadAsync(gate.Task))).ToList();
        gate.SetException(new TimeoutException());

        foreach (var one in waiting) await Assert.ThrowsAsync<TimeoutException>(() => one);
        Assert.Equal(1, _loads);
        Assert.Equal(2, await value.GetAsync(() => LoadAsync(Task.CompletedTask)));
    }

    [Fact]
    public async Task Who_goes_away_takes_it_from_nobody()
    {
        var value = new SharedValue<int>(MaxAge, _clock);
        var gate = new TaskCompletionSource();
        using var gone = new CancellationTokenSource();
        var first = value.GetAsync(() => LoadAsync(gate.Task)).WaitAsync(gone.Token);
        var second = value.GetAsync(() => LoadAsync(gate.Task));
        await gone.CancelAsync();
        gate.SetResult();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        Assert.Equal(1, await second);
    }

    async Task<int> LoadAsync(Task gate)
    {
        var number = Interlocked.Increment(ref _loads);
        await gate;
        return number;
    }
}
