using System.Net;
using Commerce.Core.Database;
using Commerce.Core.Inventory;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Integration.Orders;

/// <summary>Administrators change stock with a stock audit, and the gate follows.</summary>
public sealed class StockTests(CommerceStack stack) : StackTests(stack)
{
    [Fact]
    public async Task Added_pieces_can_be_ordered_at_once()
    {
        var product = await Stack.ProductAsync(stock: 1);
        var users = await Stack.UsersAsync("added", 2);
        await users[0].PlaceAsync(product.Id);

        await AdjustAsync(product.Id, 5);

        await users[1].PlaceAsync(product.Id, 5);
        await Eventually.EqualAsync(0L, () => Stack.AvailableAsync(product.Id));
    }

    [Fact]
    public async Task Held_pieces_cannot_be_taken_away()
    {
        var product = await Stack.ProductAsync(stock: 10);
        var user = (await Stack.UsersAsync("held", 1))[0];
        await user.PlaceAsync(product.Id, 8);

        using var refused = await Stack.Admin.PostAsJsonAsync($"/api/admin/products/{product.Id}/stock", new { delta = -3, reason = "broken" }, Cancelled);
        await refused.ShouldBeProblemAsync(HttpStatusCode.Conflict, "stock-held");
        await AdjustAsync(product.Id, -2);

        await Eventually.EqualAsync(0L, () => Stack.AvailableAsync(product.Id));
        Assert.Equal(8, (await Stack.Admin.GetFromJsonAsync<Product>($"/api/admin/products/{product.Id}", Cancelled))!.Stock);
    }

    [Fact]
    public async Task Every_change_is_in_the_audit()
    {
        var product = await Stack.ProductAsync(stock: 10);
        await AdjustAsync(product.Id, 7);
        await AdjustAsync(product.Id, -4);

        var changes = (await Stack.Admin.GetFromJsonAsync<StockChange[]>($"/api/admin/products/{product.Id}/stock", Cancelled))!;

        Assert.Equal([-4, 7, 10], changes.Select(c => c.Delta));
        Assert.Equal("count (admin)", changes[0].Reason);
    }

    [Fact]
    public async Task F40_Drift_between_gate_and_ledger_is_found_put_on_record_and_repaired_when_quiet()
    {
        var product = await Stack.ProductAsync(stock: 50);
        var user = (await Stack.UsersAsync("drift", 1))[0];
        await user.PlaceAsync(product.Id, 5);
        Assert.Equal(52, await MoreAsync(product.Id, 7));

        await Eventually.EqualAsync(45L, () => Stack.AvailableAsync(product.Id));
        await Eventually.EqualAsync(0, async () => (await Stack.Services.GetRequiredService<InventoryReconciler>().CompareAsync(Cancelled)).Count);
        Assert.Equal((50, 5, 52), await Database.SingleAsync<(int Stock, long Held, long Available)>(
            "SELECT stock, held, available FROM inventory_drift WHERE product_id = @Id ORDER BY id LIMIT 1", product, Cancelled));
        await CheckConsistencyAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task F40_Drift_is_repaired_only_where_nothing_moves_between_two_looks(bool sameNumbers)
    {
        var product = await Stack.ProductAsync(stock: 50);
        var user = (await Stack.UsersAsync($"moving-{Guid.NewGuid():N}", 1))[0];
        var placed = await user.PlaceAsync(product.Id, 5);
        await CheckConsistencyAsync();
        var available = await MoreAsync(product.Id, 7);

        var repaired = await CompareTwiceAsync(async () =>
        {
            // Replacing an order with another leaves the numbers unchanged.
            if (sameNumbers) using (await user.PostAsync($"/api/orders/{placed.OrderId}/cancel", null)) { }
            await user.PlaceAsync(product.Id, 5);
        });

        available -= sameNumbers ? 0 : 5;
        Assert.Equal((0, available), (repaired, await Stack.AvailableAsync(product.Id)));
        Assert.Equal((1, available - 7), (await CompareTwiceAsync(() => Task.CompletedTask), await Stack.AvailableAsync(product.Id)));
        await CheckConsistencyAsync();
    }

    Task<int> CompareTwiceAsync(Func<Task> between) =>
        ActivatorUtilities.CreateInstance<InventoryReconciler>(Stack.Services, new MomentBetween(between)).RunAsync(Cancelled);

    [Fact]
    public async Task What_the_gate_did_not_hear_of_an_ended_order_it_hears_later()
    {
        var product = await Stack.ProductAsync(stock: 50);
        var user = (await Stack.UsersAsync("unheard", 1))[0];
        var placed = await user.PlaceAsync(product.Id, 5);
        await Database.ExecuteAsync("UPDATE orders SET status = 'CANCELLED', holding = FALSE WHERE id = @OrderId", new { placed.OrderId }, Cancelled);

        await Eventually.EqualAsync(50L, async () =>
        {
            // The reconciler would run within 10 s anyway.
            using var reconciled = await Stack.Admin.PostAsync("/api/admin/reconcile", null, Cancelled);
            return await Stack.AvailableAsync(product.Id);
        });
    }

    MySqlDatabase Database => Stack.Services.GetRequiredService<MySqlDatabase>();

    /// <summary>Adds foreign stock to the gate and returns the new quantity.</summary>
    async Task<long> MoreAsync(long productId, int pieces) => (long)await Stack.RedisAsync("HINCRBY", "{inventory}:available", productId, pieces);

    async Task AdjustAsync(long productId, int delta)
    {
        using var answer = await Stack.Admin.PostAsJsonAsync($"/api/admin/products/{productId}/stock", new { delta, reason = "count" }, Cancelled);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Cancelled));
    }
}

/// <summary>A clock whose waits last as long as an action.</summary>
sealed class MomentBetween(Func<Task> happens) : TimeProvider
{
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        _ = FireAsync();
        return base.CreateTimer(callback, state, Timeout.InfiniteTimeSpan, period);

        async Task FireAsync()
        {
            try
            {
                await happens();
            }
            finally
            {
                callback(state);
            }
        }
    }
}
