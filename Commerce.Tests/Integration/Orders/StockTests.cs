using System.Net;
using Commerce.Core.Database;
using Commerce.Core.Inventory;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Integration.Orders;

/// <summary>Stock is changed by administrators, with an audit, and the gate follows.</summary>
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
    public async Task F40_Drift_between_gate_and_ledger_is_found_and_repaired_when_quiet()
    {
        var product = await Stack.ProductAsync(stock: 50);
        var user = (await Stack.UsersAsync("drift", 1))[0];
        await user.PlaceAsync(product.Id, 5);
        Assert.Equal(52, (long)await Faults.FaultInjection.RedisAsync(Stack, "HINCRBY", "{inventory}:available", product.Id, 7));

        await Eventually.EqualAsync(45L, () => Stack.AvailableAsync(product.Id));
        await Eventually.EqualAsync(0, async () => (await Stack.Services.GetRequiredService<InventoryReconciler>().CompareAsync(Cancelled)).Count);
    }

    [Fact]
    public async Task What_the_gate_did_not_hear_of_an_ended_order_it_hears_later()
    {
        var product = await Stack.ProductAsync(stock: 50);
        var user = (await Stack.UsersAsync("unheard", 1))[0];
        var placed = await user.PlaceAsync(product.Id, 5);
        await Stack.Services.GetRequiredService<Ledger>()
            .ExecuteAsync("UPDATE orders SET status = 'CANCELLED', holding = FALSE WHERE id = @OrderId", new { placed.OrderId }, Cancelled);

        await Eventually.EqualAsync(50L, async () =>
        {
            // Which would come by itself, within 10 s.
            using var reconciled = await Stack.Admin.PostAsync("/api/admin/reconcile", null, Cancelled);
            return await Stack.AvailableAsync(product.Id);
        });
    }

    async Task AdjustAsync(long productId, int delta)
    {
        using var answer = await Stack.Admin.PostAsJsonAsync($"/api/admin/products/{productId}/stock", new { delta, reason = "count" }, Cancelled);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Cancelled));
    }
}
