using Commerce.Core.Inventory;
using Commerce.Core.Orders;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Faults.Background;

/// <summary>Invalid rows neither end the Workers nor block valid rows.</summary>
public sealed class WorkerFaultTests(CommerceStack stack) : PaymentStackTests(stack)
{
    [Fact]
    public async Task Rows_that_cannot_be_handled_end_no_process_and_hold_up_no_other()
    {
        var workers = await Stack.PidAsync("workers");
        var bad = Guid.CreateVersion7().ToString();
        var good = await OrderAsync("beside-bad-rows");
        await Database.ExecuteAsync("""
            INSERT INTO orders (id, user_id, status, total_amount, holding, hold_expires_at, paid_at)
            VALUES (@bad, 'nobody', 'PAID', 1, TRUE, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) - INTERVAL 1 HOUR)
            """, new { bad }, Cancelled);
        try
        {
            // The test adds a hold with an impossible order id and unreadable lines, and an invalid product.
            await Stack.RedisAsync("HSET", InventoryKeys.All[3], "주문 ☃", "x", bad, "1");
            await Stack.RedisAsync("ZADD", InventoryKeys.All[2], 1, "주문 ☃");
            await Stack.RedisAsync("HSET", InventoryKeys.All[1], "no product", "many");
            await Stack.Services.GetRequiredService<OrderReconciler>().RunAsync(Cancelled);
            await Stack.Services.GetRequiredService<InventoryReconciler>().CompareAsync(Cancelled);

            await Database.ExecuteAsync("UPDATE orders SET hold_expires_at = UTC_TIMESTAMP(6) WHERE id = @OrderId", new { good.OrderId }, Cancelled);
            await Eventually.EqualAsync("EXPIRED", () => OrderStatusAsync(good));
            await Eventually.EqualAsync(10L, () => Stack.AvailableAsync(good.Product.Id));
            // The reconcilers of the Workers run every 10 s.
            var seen = await Database.SingleAsync<DateTime>("SELECT UTC_TIMESTAMP(6)", null, Cancelled);
            await Eventually.EqualAsync(true, () => Database.SingleAsync<bool>("SELECT UTC_TIMESTAMP(6) > @seen + INTERVAL 11 SECOND", new { seen }, Cancelled));
            Assert.Equal(workers, await Stack.PidAsync("workers"));
        }
        finally
        {
            await Database.ExecuteAsync("DELETE FROM orders WHERE id = @bad", new { bad }, CancellationToken.None);
            await Stack.RedisAsync("HDEL", InventoryKeys.All[3], "주문 ☃", bad);
            await Stack.RedisAsync("ZREM", InventoryKeys.All[2], "주문 ☃");
            await Stack.RedisAsync("HDEL", InventoryKeys.All[1], "no product");
        }

        await CheckConsistencyAsync();
    }
}
