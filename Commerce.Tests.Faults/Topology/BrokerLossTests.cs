using System.Globalization;
using Commerce.Core.Consistency;
using Commerce.Core.Coupons;
using Commerce.Core.Database;
using Commerce.Tests.Servers.Messaging;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Faults.Topology;

/// <summary>
/// A sale whose only broker is killed once, and then loses its log together with Redis: the worst that can happen to what is outside of MySQL
/// (docs/promises.md, "What a 2xx assumes").
/// </summary>
public sealed class BrokerLossTests
{
    static readonly TimeSpan Deadline = TimeSpan.FromMinutes(10);

    static readonly ParallelOptions Crowd = new() { MaxDegreeOfParallelism = 64 };

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public Task F42_F43_The_only_broker_is_killed_then_its_log_and_Redis_are_lost() => SellAsync(4_000);

    [Fact(Timeout = LongTests.Limit)]
    public Task F42_F43_The_same_in_a_rush() => SellAsync(LongTests.Issues);

    static async Task SellAsync(int issues)
    {
        Assert.SkipUnless(KafkaCluster.IsInstalled, KafkaCluster.WhyNot);
        await using var kafka = await KafkaCluster.StartAsync();
        var sale = new Sale();
        await using var stack = new CommerceStack
        {
            Arguments = [$"--ConnectionStrings:kafka={kafka.BootstrapServers}", sale.SigningKey],
            Settings = new Dictionary<string, string> { ["Coupons__Durability"] = nameof(Durability.Database) },
        };
        await stack.StartAsync();
        var coupon = await stack.CouponAsync(issues);
        var selling = Parallel.ForAsync(0, issues + 200, Crowd, async (i, _) => await sale.TakeAsync(stack, $"c-{i}", coupon.Id));

        await IssuedAsync(issues / 4);
        await kafka.KillAsync();
        await IssuedAsync((issues / 4) + (issues / 20));
        await kafka.StartNodeAsync();
        await IssuedAsync(issues / 2);
        // Both at once: what only these two had is gone. MySQL had every acceptance before it was told.
        var emptied = kafka.EmptyAsync();
        await stack.RedisAsync("FLUSHALL");
        await emptied;
        await selling.WaitAsync(Deadline, Cancelled);

        await Eventually.GetAsync(() => stack.Services.GetRequiredService<ConsistencyCheck>().RunAsync(Cancelled), report => report.Holds, TimeSpan.FromMinutes(3));
        var database = stack.Services.GetRequiredService<MySqlDatabase>();
        var rows = (await database.QueryAsync<string>("SELECT user_id FROM coupon_issue WHERE coupon_id = @Id", new { coupon.Id }, Cancelled)).ToHashSet();
        var broken = sale.Promised.Where(user => !rows.Contains(user)).ToList();
        var output = TestContext.Current.TestOutputHelper!;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{broken.Count} broken; {sale.Summary}"));
        Assert.Empty(broken);
        Assert.Equal(issues, rows.Count);
        Assert.Subset(sale.Promised.ToHashSet(), rows);
        Assert.All(sale.Verdicts.Values.Where(v => v != ""), v => Assert.Equal("coupon-sold-out", v));
        Assert.Equal(0, await database.SingleAsync<int>("SELECT COUNT(*) FROM dead_letter", null, Cancelled));

        Task IssuedAsync(int count) => Eventually.GetAsync(() => Task.FromResult(sale.Issued), issued => issued >= count, Deadline);
    }
}
