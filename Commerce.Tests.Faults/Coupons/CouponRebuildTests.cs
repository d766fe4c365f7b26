using Commerce.Core;
using Commerce.Core.Coupons;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Faults.Coupons;

/// <summary>Tests which promises must hold after the loss of a gate.</summary>
public sealed class CouponRebuildTests(CommerceStack stack) : CouponFaultTests(stack)
{
    [Fact]
    public async Task Of_an_old_and_a_new_acceptance_of_one_user_the_new_one_counts()
    {
        var coupon = await Stack.CouponAsync(total: 10);
        // The gate was rebuilt and its barriers were consumed. Later acceptances of the older epoch were promised to nobody.
        await Database.ExecuteAsync("""
            UPDATE coupon SET gate_epoch = 2 WHERE id = @Id;
            INSERT INTO coupon_fence (coupon_id, epoch, `partition`) VALUES (@Id, 2, 0), (@Id, 2, 1), (@Id, 2, 2), (@Id, 2, 3)
            """, coupon, Cancelled);

        var refused = await Stack.Services.GetRequiredService<CouponRepository>().SaveAsync(
            [new(new CouponIssued(coupon.Id, 1, "both", 1), 0), new(new CouponIssued(coupon.Id, 1, "old", 1), 0), new(new CouponIssued(coupon.Id, 2, "both", 2), 1)], Cancelled);

        Assert.Equal(("old", CouponFailures.TooLate), Assert.Single(refused.Select(r => (r.Issue.UserId, r.Reason))));
        await CheckConsistencyAsync(coupon.Id, new Dictionary<string, string> { ["both"] = "", ["old"] = "coupon-ended" });
    }

    [Fact]
    public async Task An_acceptance_that_cannot_be_honoured_is_counted_with_its_reason()
    {
        var coupon = await Stack.CouponAsync(total: 1);
        // The acceptance comes from a gate with too much stock.
        await Database.ExecuteAsync("UPDATE coupon SET gate_epoch = 2 WHERE id = @Id", coupon, Cancelled);
        using var unhonoured = new CounterListener("commerce.coupons.unhonoured");

        await Stack.Services.GetRequiredService<CouponRepository>().SaveAsync(
            [new(new CouponIssued(coupon.Id, 2, "first", 1), 0), new(new CouponIssued(coupon.Id, 2, "second", 2), 0)], Cancelled);

        Assert.Equal(CouponFailures.SoldOut, Assert.Single(unhonoured.Counted)["reason"]);
        await Database.ExecuteAsync("DELETE FROM coupon_issue_failure WHERE coupon_id = @Id", coupon, Cancelled);
        await CheckConsistencyAsync(coupon.Id, new Dictionary<string, string> { ["first"] = "", ["second"] = "coupon-sold-out" });
    }

    [Fact]
    public async Task You_have_it_already_is_true_though_the_first_request_died_and_Redis_is_lost_right_after()
    {
        var coupon = await Stack.CouponAsync(total: 10);
        var users = new Queue<Shopper>(await Stack.UsersAsync("again", 10));
        // The sweeper is stopped.
        await Stack.StopAsync("workers");
        Stack.Arm(Checkpoints.AfterGate);
        var user = users.Peek();
        await Eventually.EqualAsync("unreachable", () => (user = users.Dequeue()).PressAsync(coupon.Id));
        await Stack.StoppedAsync("api");
        await Stack.StartAsync("api");

        Assert.Equal("coupon-already-issued", await user.TakeAsync(coupon.Id));
        await Stack.RedisAsync("FLUSHALL");
        await Stack.StartAsync("workers");

        await CheckConsistencyAsync(coupon.Id, new Dictionary<string, string> { [user.Id] = "coupon-already-issued" });
    }

    [Fact]
    public async Task Who_goes_away_while_MySQL_does_not_answer_spoils_the_sale_for_nobody()
    {
        var coupon = await Stack.CouponAsync(total: 100);
        var users = await Stack.UsersAsync("away", 60);
        Assert.Equal("", await users[0].TakeAsync(coupon.Id));
        await Stack.FreezeAsync("mysql");
        try
        {
            foreach (var (goesAway, stays) in users.Skip(1).Take(20).Zip(users.Skip(30)))
            {
                using var impatience = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
                using var request = goesAway.Issue(coupon.Id);
                try
                {
                    using var answer = await goesAway.Once.SendAsync(request, impatience.Token);
                }
                catch (OperationCanceledException)
                {
                    // This is expected.
                }

                // This is longer than the maximum age of the cached coupon.
                await Task.Delay(100, Cancelled);
                Assert.Equal("", await stays.PressAsync(coupon.Id));
            }
        }
        finally
        {
            await Stack.ThawAsync("mysql");
        }

        await CheckConsistencyAsync(coupon.Id, await users.SellAsync(coupon.Id));
    }

    [Fact]
    public async Task A_coupon_that_ended_long_ago_says_so_though_its_gate_is_lost()
    {
        var coupon = await Stack.CouponAsync(total: 10, startsInHours: -5, endsInHours: -2);
        var user = (await Stack.UsersAsync("long-ago", 1))[0];
        // The gate was open before.
        await Database.ExecuteAsync("UPDATE coupon SET gate_epoch = 1 WHERE id = @Id", coupon, Cancelled);

        Assert.Equal("coupon-ended", await user.TakeAsync(coupon.Id));
        using var status = await user.GetAsync($"/api/coupons/{coupon.Id}/issue");
        await status.ShouldBeProblemAsync(System.Net.HttpStatusCode.NotFound, "coupon-not-issued");
    }
}
