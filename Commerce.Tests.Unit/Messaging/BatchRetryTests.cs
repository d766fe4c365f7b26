using Commerce.Core.Messaging;
using Commerce.ServiceDefaults;

namespace Commerce.Tests.Unit.Messaging;

public sealed class BatchRetryTests
{
    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1, 5, 1)]
    [InlineData(2, 5, 1)]
    [InlineData(7, 5, 7)]
    [InlineData(200, 4, 1)]
    [InlineData(200, 4, 3)]
    [InlineData(1000, 5, 2)]
    [InlineData(4000, 5, 1)]
    [InlineData(4000, 5, 3)]
    [InlineData(50, 4, 50)]
    [InlineData(20, 1, 2)]
    [InlineData(20, 2, 2)]
    public async Task A_bad_message_has_exactly_its_tries_and_a_good_one_is_handled_once(int count, int attempts, int bad)
    {
        var batch = new Batch(count, [.. Enumerable.Range(0, bad).Select(i => i * count / bad)]);

        await batch.RunAsync(attempts);

        Assert.Equal(batch.Bad, batch.GivenUp);
        Assert.All(batch.Bad, i => Assert.Equal(attempts, batch.Tries[i]));
        Assert.All(batch.Tries, tries => Assert.InRange(tries, 1, attempts));
        // Each message is processed once, in order of arrival.
        Assert.Equal(Enumerable.Range(0, count).Except(batch.Bad), batch.Handled);
    }

    [Theory]
    [InlineData(4000, 5, 1)]
    [InlineData(4000, 5, 4)]
    [InlineData(200, 4, 1)]
    [InlineData(200, 4, 4)]
    public async Task A_bad_message_costs_a_few_transactions_and_not_one_for_each_of_its_batch(int count, int attempts, int bad)
    {
        foreach (var offset in Enumerable.Range(0, 20))
        {
            var batch = new Batch(count, [.. Enumerable.Range(0, bad).Select(i => (i * count / bad) + (offset * count / bad / 20)).Distinct()]);

            await batch.RunAsync(attempts);

            Assert.InRange(batch.Transactions, 1, 1 + (bad * 3 * (int)Math.Ceiling(Math.Log2(count))));
        }
    }

    [Fact]
    public async Task What_fails_only_in_company_is_handled_alone()
    {
        var handled = new List<int>();

        await BatchRetry.RunAsync(9, Policy(3), (first, count) =>
        {
            if (count > 1) throw new NotSupportedException("too many");
            handled.Add(first);
            return Task.CompletedTask;
        }, (_, _) => throw new InvalidOperationException("Nothing is bad."), (_, _) => { }, TimeProvider.System, Cancelled);

        Assert.Equal(Enumerable.Range(0, 9), handled);
    }

    [Fact]
    public async Task A_message_that_fails_for_a_while_is_not_given_up()
    {
        var tries = 0;

        await BatchRetry.RunAsync(1, Policy(5), (_, _) => ++tries < 5 ? throw new NotSupportedException("not yet") : Task.CompletedTask,
            (_, _) => throw new InvalidOperationException("It was handled."), (_, _) => { }, TimeProvider.System, Cancelled);

        Assert.Equal(5, tries);
    }

    static RetryPolicy Policy(int attempts) => new() { Attempts = attempts, BaseDelay = TimeSpan.FromMilliseconds(1), MaxDelay = TimeSpan.FromMilliseconds(1) };

    sealed class Batch(int count, IReadOnlyList<int> bad)
    {
        public IReadOnlyList<int> Bad => bad;

        public int[] Tries { get; } = new int[count];

        public List<int> Handled { get; } = [];

        public List<int> GivenUp { get; } = [];

        public int Transactions { get; private set; }

        public Task RunAsync(int attempts) => BatchRetry.RunAsync(count, Policy(attempts), HandleAsync, (message, _) =>
        {
            GivenUp.Add(message);
            return Task.CompletedTask;
        }, (_, _) => { }, TimeProvider.System, Cancelled);

        Task HandleAsync(int first, int length)
        {
            Transactions++;
            for (var i = first; i < first + length; i++) Tries[i]++;
            if (bad.Any(i => i >= first && i < first + length)) throw new NotSupportedException("refused");
            Handled.AddRange(Enumerable.Range(first, length));
            return Task.CompletedTask;
        }
    }
}
