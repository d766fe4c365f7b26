using Commerce.Tests.Faults.Orders;
using Commerce.Core.Inventory;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Faults.Inventory;

/// <summary>
/// Changes in the database that reach the gate late, twice or never. The gate may temporarily have too little stock, but never too
/// much.
/// </summary>
public sealed class InventoryRepairTests(CommerceStack stack) : OrderFaultTests(stack)
{
    InventoryRepository Inventory => Stack.Services.GetRequiredService<InventoryRepository>();

    InventoryGate Gate => Stack.Services.GetRequiredService<InventoryGate>();

    [Fact]
    public async Task Pieces_that_leave_the_stock_while_the_gate_is_rebuilt_are_counted_once()
    {
        const int Orders = 100;
        var product = await Stack.ProductAsync(stock: 1000);
        var users = await Stack.UsersAsync("torn", Orders);
        var placed = await Task.WhenAll(users.Select(u => u.PlaceAsync(product.Id)));
        await Task.WhenAll(placed.Select(order => PaySilentlyAsync(order)));

        var leaving = Task.Run(async () =>
        {
            foreach (var order in placed) await Inventory.DeductStockAsync([order.OrderId], Cancelled);
        }, Cancelled);
        var looks = 0;
        while (!leaving.IsCompleted || looks == 0)
        {
            if (await Inventory.ClaimGateAsync(await Inventory.FindEpochAsync(Cancelled), TimeSpan.Zero, Cancelled) is not { } content) continue;
            looks++;
            Assert.Equal(1000 - Orders, content.Available.Single(p => p.ProductId == product.Id).Pieces);
        }

        await leaving;
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_change_that_reaches_the_gate_after_the_repair_is_not_counted_twice()
    {
        var product = await Stack.ProductAsync(stock: 10);
        // The change is interrupted before it reaches the gate.
        var epoch = await Eventually.GetAsync(() => Inventory.FindEpochAsync(Cancelled), e => e > 0);
        await Eventually.EqualAsync(10L, () => Stack.AvailableAsync(product.Id));
        await AddSilentlyAsync(product.Id, 5);
        await Eventually.EqualAsync(15L, () => Stack.AvailableAsync(product.Id));

        await Eventually.EqualAsync(-1, () => Gate.AdjustAsync(epoch, product.Id, 5));

        await Eventually.EqualAsync(15L, () => Stack.AvailableAsync(product.Id));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task A_refunded_order_whose_hold_was_never_confirmed_gives_its_pieces_back_once()
    {
        var product = await Stack.ProductAsync(stock: 10);
        var placed = await (await Stack.UsersAsync("unconfirmed", 1))[0].PlaceAsync(product.Id, 4);
        // The order is paid, deducted and fully refunded, but the gate does not know it yet.
        await PaySilentlyAsync(placed);
        Assert.Equal([placed.OrderId], (await Inventory.DeductStockAsync([placed.OrderId], Cancelled)).Deducted);
        var returned = await RefundSilentlyAsync(placed);

        await Eventually.DoneAsync(() => Stack.Services.GetRequiredService<InventoryReconciler>().EndHoldsAsync([placed.OrderId], endUnknown: false, Cancelled));
        await Gate.RestockAsync(returned);

        Assert.InRange(await Stack.AvailableAsync(product.Id), 0, 10);
        await Eventually.EqualAsync(10L, () => Stack.AvailableAsync(product.Id));
        await CheckConsistencyAsync();
    }

    [Fact]
    public async Task An_order_that_was_refunded_before_it_left_the_stock_is_not_taken_for_one_that_did()
    {
        var product = await Stack.ProductAsync(stock: 10);
        var placed = await (await Stack.UsersAsync("refunded-first", 1))[0].PlaceAsync(product.Id, 4);
        await PaySilentlyAsync(placed);
        var returned = await RefundSilentlyAsync(placed);

        Assert.Empty((await Inventory.DeductStockAsync([placed.OrderId], Cancelled)).Deducted);
        await InventoryRepository.ReturnAsync(Gate, returned);

        await Eventually.EqualAsync(10L, () => Stack.AvailableAsync(product.Id));
        Assert.Equal(10, await StockAsync(product.Id));
        await CheckConsistencyAsync();
    }

    /// <summary>Makes an administrator's change whose process dies between MySQL and Redis.</summary>
    Task<int> AddSilentlyAsync(long productId, int pieces) => Database.ExecuteAsync("""
        UPDATE product SET stock = stock + @pieces WHERE id = @productId;
        INSERT INTO product_stock_audit (product_id, event_id, delta, reason) VALUES (@productId, @change, @pieces, 'test')
        """, new { productId, pieces, change = $"test:{Guid.NewGuid()}" }, Cancelled);
}
