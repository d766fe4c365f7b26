using System.Globalization;
using System.Threading.Channels;
using Commerce.Core.Coupons;

namespace Commerce.Tests.Unit.Coupons;

/// <summary>Concurrent requests are batched, a single one is sent at once, and the order of arrival is kept.</summary>
public sealed class CouponIssueBatcherTests
{
    readonly Channel<Call> _calls = Channel.CreateUnbounded<Call>();
    readonly CouponIssueBatcher _line;

    public CouponIssueBatcherTests() => _line = new(users =>
    {
        var call = new Call(users, new(TaskCreationOptions.RunContinuationsAsynchronously));
        _calls.Writer.TryWrite(call);
        return call.Answer.Task;
    });

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Somebody_alone_waits_for_nobody()
    {
        var alice = _line.EnqueueAsync("alice");
        var call = await CallAsync("alice");
        call.Answer.SetResult([new(GateVerdict.Accepted, 7, 1)]);
        Assert.Equal(new(GateVerdict.Accepted, 7, 1), await alice);

        var bob = _line.EnqueueAsync("bob");
        (await CallAsync("bob")).Answer.SetResult([new(GateVerdict.SoldOut)]);
        Assert.Equal(GateVerdict.SoldOut, (await bob).Verdict);
    }

    [Fact]
    public async Task Who_comes_meanwhile_goes_together_in_the_order_of_coming_and_each_hears_their_own_answer()
    {
        var first = _line.EnqueueAsync("first");
        var others = new[] { "b", "a", "c", "a" }.Select(u => _line.EnqueueAsync(u)).ToArray();
        var call = await CallAsync("first");
        Assert.False(_calls.Reader.TryPeek(out _));
        call.Answer.SetResult([new(GateVerdict.Accepted)]);
        await first;

        (await CallAsync("b", "a", "c", "a")).Answer
            .SetResult([new(GateVerdict.Accepted), new(GateVerdict.Accepted), new(GateVerdict.SoldOut), new(GateVerdict.AlreadyIssued)]);

        Assert.Equal([GateVerdict.Accepted, GateVerdict.Accepted, GateVerdict.SoldOut, GateVerdict.AlreadyIssued],
            (await Task.WhenAll(others)).Select(a => a.Verdict));
    }

    [Fact]
    public async Task No_call_asks_for_so_many_that_everybody_else_would_wait_for_it()
    {
        var all = Enumerable.Range(0, 1000).Select(i => _line.EnqueueAsync($"u{i}")).ToArray();
        var seen = new List<string>();
        while (seen.Count < all.Length)
        {
            var call = await _calls.Reader.ReadAsync(Cancelled);
            Assert.InRange(call.Users.Count, 1, 128);
            seen.AddRange(call.Users);
            call.Answer.SetResult([.. call.Users.Select(_ => new GateResult(GateVerdict.Accepted))]);
        }

        await Task.WhenAll(all);
        Assert.Equal(Enumerable.Range(0, 1000).Select(i => $"u{i}"), seen);
    }

    [Fact]
    public async Task A_call_that_fails_tells_those_behind_it_too_and_the_next_is_asked_for_again()
    {
        var asked = _line.EnqueueAsync("asked");
        var behind = _line.EnqueueAsync("behind");
        (await CallAsync("asked")).Answer.SetException(new TimeoutException());
        await Assert.ThrowsAsync<TimeoutException>(() => asked);
        await Assert.ThrowsAsync<TimeoutException>(() => behind);

        var next = _line.EnqueueAsync("next");
        (await CallAsync("next")).Answer.SetResult([new(GateVerdict.Accepted)]);
        Assert.Equal(GateVerdict.Accepted, (await next).Verdict);
    }

    [Fact]
    public async Task Nobody_is_left_standing_however_they_come()
    {
        var answering = Task.Run(async () =>
        {
            await foreach (var call in _calls.Reader.ReadAllAsync(Cancelled))
                call.Answer.SetResult([.. call.Users.Select(u => new GateResult(GateVerdict.Accepted, long.Parse(u, CultureInfo.InvariantCulture)))]);
        }, Cancelled);

        await Parallel.ForAsync(0, 20_000, Cancelled, async (i, _) =>
            Assert.Equal(i, (await _line.EnqueueAsync(i.ToString(CultureInfo.InvariantCulture))).AcceptedAt));

        _calls.Writer.Complete();
        await answering;
    }

    async Task<Call> CallAsync(params string[] users)
    {
        var call = await _calls.Reader.ReadAsync(Cancelled);
        Assert.Equal(users, call.Users);
        return call;
    }

    /// <summary>One call to the gate. The test completes it.</summary>
    sealed record Call(IReadOnlyList<string> Users, TaskCompletionSource<IReadOnlyList<GateResult>> Answer);
}
