using System.Globalization;
using Commerce.Core.Consistency;
using Commerce.Core.Coupons;
using Commerce.Core.Database;
using Commerce.Tests.Servers.Messaging;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Faults.Topology;

/// <summary>
/// The only broker is killed once during a sale. Later it loses its log at the moment when Redis loses its data, which is the worst case
/// outside of MySQL (docs/promises.md, "What a 2xx assumes").
/// </summary>
public sealed class BrokerLossTests
{
    static readonly TimeSpan Deadline = TimeSpan.FromMinutes(10);

    static readonly ParallelOptions Crowd = new() { MaxDegreeOfParallelism = 64 };

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public Task F42_F43_The_only_broker_is_killed_then_its_log_and_Redis_are_lost() => SellAsync(4_000, Durability.Database);

    [Theory(Timeout = LongTests.Limit)]
    [InlineData(Durability.Database)]
    [InlineData(Durability.Broker)]
    public Task F42_F43_The_same_in_a_rush(Durability durability) => SellAsync(LongTests.Issues, durability);

    static async Task SellAsync(int issues, Durability durability)
    {
        Assert.SkipUnless(KafkaCluster.IsInstalled, KafkaCluster.WhyNot);
        await using var kafka = await KafkaCluster.StartAsync();
        var sale = new Sale();
        await using var stack = new CommerceStack
        {
            Arguments = [$"--ConnectionStrings:kafka={kafka.BootstrapServers}", sale.SigningKey],
            Settings = new Dictionary<string, string> { ["Coupons__Durability"] = $"{durability}" },
        };
        await stack.StartAsync();
        var database = stack.Services.GetRequiredService<MySqlDatabase>();
        var coupon = await stack.CouponAsync(issues);
        var lost = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var selling = Parallel.ForAsync(0, issues + 200, Crowd, async (i, _) =>
        {
            // The last users come after the loss, however fast the others are served.
            if (i >= issues * 6L / 10) await lost.Task;
            await sale.TakeAsync(stack, $"c-{i}", coupon.Id);
        });

        await IssuedAsync(issues / 4);
        await kafka.KillAsync();
        await IssuedAsync((issues / 4) + (issues / 20));
        await kafka.StartNodeAsync();
        await IssuedAsync(issues / 2);
        var consumed = await RowsAsync();
        // Broker and Redis lose their data at the same time.
        var emptied = kafka.EmptyAsync();
        await stack.RedisAsync("FLUSHALL");
        lost.SetResult();
        await emptied;
        var promised = sale.Promised.ToHashSet();
        await selling.WaitAsync(Deadline, Cancelled);
        // If acceptances were lost at the end of the sale, their coupons are left. Later users get them.
        var verdict = "";
        for (var late = 0; verdict == ""; late++)
        {
            await sale.TakeAsync(stack, $"late-{late}", coupon.Id);
            verdict = sale.Verdicts[$"late-{late}"];
        }

        await Eventually.GetAsync(() => stack.Services.GetRequiredService<ConsistencyCheck>().RunAsync(Cancelled), report => report.Holds, TimeSpan.FromMinutes(3));
        var rows = await Eventually.GetAsync(RowsAsync, rows => rows.Count >= issues);
        var broken = sale.Promised.Where(user => !rows.Contains(user)).ToList();
        var output = TestContext.Current.TestOutputHelper!;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{durability}: {broken.Count} broken; {sale.Summary}"));
        // With Database, MySQL stored every acceptance before the response. With Broker, acceptances that nobody had consumed are lost.
        if (durability == Durability.Database) Assert.Empty(broken);
        else Assert.All(broken, user => Assert.True(promised.Contains(user) && !consumed.Contains(user), $"{user} lost a coupon that was not in the lost log."));
        Assert.Equal(issues, rows.Count);
        Assert.Subset(sale.Promised.ToHashSet(), rows);
        Assert.All(sale.Verdicts.Values.Where(v => v != ""), v => Assert.Equal("coupon-sold-out", v));
        Assert.Equal(0, await database.SingleAsync<int>("SELECT COUNT(*) FROM dead_letter", null, Cancelled));

        async Task<HashSet<string>> RowsAsync() =>
            [.. await database.QueryAsync<string>("SELECT user_id FROM coupon_issue WHERE coupon_id = @Id", new { coupon.Id }, Cancelled)];

        Task IssuedAsync(int count) => Eventually.GetAsync(() => Task.FromResult(sale.Issued), issued => issued >= count, Deadline);
    }
}
