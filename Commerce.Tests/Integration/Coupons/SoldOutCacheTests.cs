using Commerce.Core.Coupons;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace Commerce.Tests.Integration.Coupons;

/// <summary>Tests which requests a replica answers by itself after the last coupon, and how soon it notices a change.</summary>
public sealed class SoldOutCacheTests(CommerceStack stack) : StackTests(stack), IAsyncLifetime
{
    /// <summary>Coupons that are not in the database, so that no other process touches their gates.</summary>
    static long s_nextId = 9_000_000_000;

    readonly long _id = Interlocked.Increment(ref s_nextId);
    SoldOutCache? _sales;
    Coupon? _coupon;

    CouponGate Gate => Stack.Services.GetRequiredService<CouponGate>();

    SoldOutCache Sales => _sales!;

    Coupon Coupon => _coupon!;

    async ValueTask IAsyncLifetime.InitializeAsync()
    {
        await InitializeAsync();
        _sales = new SoldOutCache(Gate, TimeProvider.System, NullLogger<SoldOutCache>.Instance);
        await _sales.StartAsync(Cancelled);
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        _coupon = new Coupon(_id, "closed", 1000, 1, 0, now.AddHours(-1), now.AddHours(1), "ACTIVE", 1, 1);
        await Eventually.DoneAsync(() => Gate.OpenAsync(_coupon, epoch: 1, stock: 1, users: 0));
        await TakenAsync("winner");
    }

    async ValueTask IAsyncDisposable.DisposeAsync()
    {
        await Sales.StopAsync(CancellationToken.None);
        Sales.Dispose();
        await DisposeAsync();
    }

    [Fact]
    public async Task Nothing_is_said_of_a_sale_that_goes_on()
    {
        await FollowAsync(Coupon with { Version = 2, TotalQuantity = 2 });
        Sales.Observe(_id, GateVerdict.SoldOut);
        // The coupon was checked and forgotten, and observing it again changes nothing.
        for (var i = 0; i < 10; i++)
        {
            Assert.Null(Sales.Find(_id, "winner"));
            await Task.Delay(20, Cancelled);
        }
    }

    [Fact]
    public async Task Winners_hear_that_they_have_it_and_the_others_that_it_is_sold_out()
    {
        await KnownAsync(GateVerdict.SoldOut);
        await KnownAsync(GateVerdict.AlreadyIssued, "winner");
    }

    [Fact]
    public async Task Added_stock_is_noticed_and_so_is_that_it_is_gone_again()
    {
        await KnownAsync(GateVerdict.SoldOut);

        await FollowAsync(Coupon with { Version = 2, TotalQuantity = 2 });
        await UnknownAsync();

        await TakenAsync("second");
        await KnownAsync(GateVerdict.SoldOut);
        await KnownAsync(GateVerdict.AlreadyIssued, "second");
    }

    [Fact]
    public async Task A_cancelled_coupon_is_over_for_the_others()
    {
        await KnownAsync(GateVerdict.SoldOut);
        await FollowAsync(Coupon with { Version = 2, Status = "CANCELLED" });
        await KnownAsync(GateVerdict.Ended);
        await KnownAsync(GateVerdict.AlreadyIssued, "winner");
    }

    [Fact]
    public async Task While_a_row_is_on_its_way_nothing_is_said_by_a_replica_itself()
    {
        await FollowAsync(Coupon with { Version = 2, TotalQuantity = 2 });
        await Eventually.EqualAsync(GateVerdict.Accepted, () => PressAsync("second"));
        Assert.Equal(GateVerdict.AlreadyPending, await Eventually.DoneAsync(() => PressAsync("second")));
        Assert.Null(await Eventually.DoneAsync(() => Gate.FindRefusalAsync(_id)));

        await TakenAsync("second");
        await KnownAsync(GateVerdict.SoldOut);
    }

    [Fact]
    public async Task A_gate_that_is_lost_is_noticed()
    {
        await KnownAsync(GateVerdict.SoldOut);
        await Eventually.DoneAsync(() => Gate.CloseStaleAsync(_id, epoch: 2));
        await UnknownAsync();
    }

    [Fact]
    public async Task While_Redis_does_not_answer_nothing_is_said_for_long()
    {
        await KnownAsync(GateVerdict.SoldOut);
        await Stack.FreezeAsync("redis");
        try
        {
            await UnknownAsync();
        }
        finally
        {
            await Stack.ThawAsync("redis");
        }

        await KnownAsync(GateVerdict.SoldOut);
    }

    /// <summary>Records that this user has a coupon, and saves it in the database.</summary>
    async Task TakenAsync(string user)
    {
        await Eventually.GetAsync(() => PressAsync(user), verdict => verdict is GateVerdict.Accepted or GateVerdict.AlreadyPending);
        await Eventually.DoneAsync(async () => { await Gate.AcknowledgeAsync(_id, [user]); return true; });
    }

    Task<bool> FollowAsync(Coupon coupon) => Eventually.DoneAsync(() => Gate.SyncAsync(coupon));

    async Task<GateVerdict> PressAsync(string user) => (await Gate.AcceptAsync(_id, user)).Verdict;

    /// <summary>Does what the issuer does: without a cached verdict it calls the gate and reports the verdict.</summary>
    async Task KnownAsync(GateVerdict verdict, string user = "late") => await Eventually.EqualAsync<GateVerdict?>(verdict, async () =>
    {
        var known = Sales.Find(_id, user);
        if (known is null) Sales.Observe(_id, await PressAsync("late"));
        return known;
    });

    async Task UnknownAsync() => await Eventually.EqualAsync(null, () => Task.FromResult(Sales.Find(_id, "late")));
}
