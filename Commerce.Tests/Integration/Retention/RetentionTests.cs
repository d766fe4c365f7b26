using Commerce.Core.Database;
using Commerce.Core.Retention;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests.Integration.Retention;

/// <summary>Obsolete rows are deleted, and nothing else.</summary>
public sealed class RetentionTests(CommerceStack stack) : StackTests(stack)
{
    static readonly TimeSpan Age = TimeSpan.FromDays(300);

    MySqlDatabase Database => Stack.Services.GetRequiredService<MySqlDatabase>();

    RetentionStore Store => Stack.Services.GetRequiredService<RetentionStore>();

    [Fact]
    public async Task Addresses_of_old_closed_orders_are_deleted()
    {
        var (old, open, young) = (await OrderAsync(days: 301, "CANCELLED"), await OrderAsync(days: 301, "PENDING_PAYMENT"), await OrderAsync(days: 299, "CANCELLED"));

        Assert.True(await Store.DeleteShippingAsync(Age, Cancelled) >= 1);

        Assert.Equal([open, young], await LeftAsync("SELECT order_id FROM shipping_info WHERE order_id IN @ids ORDER BY order_id", old, open, young));
        await DeleteOrdersAsync(old, open, young);

        async Task<string> OrderAsync(int days, string status)
        {
            var id = Id(days);
            await Database.ExecuteAsync("""
                INSERT INTO orders (id, user_id, status, total_amount, hold_expires_at, holding)
                VALUES (@id, 'retention', @status, 1, UTC_TIMESTAMP(6), FALSE)
                """, new { id, status }, Cancelled);
            await Database.ExecuteAsync("INSERT INTO shipping_info (order_id, recipient, phone, zipcode, address1, address2) VALUES (@id, 'Kim', '010-1234-5678', '04524', '110 Sejong-daero', '')", new { id }, Cancelled);
            return id;
        }
    }

    [Fact]
    public async Task Settled_attempts_of_old_payments_are_deleted()
    {
        var (old, waiting, young) = (await AttemptAsync(days: 301, checks: false), await AttemptAsync(days: 301, checks: true), await AttemptAsync(days: 299, checks: false));

        Assert.True(await Store.DeletePaymentAttemptsAsync(Age, Cancelled) >= 1);

        Assert.Equal([waiting, young], await LeftAsync("SELECT payment_id FROM payment_attempt WHERE payment_id IN @ids ORDER BY payment_id", old, waiting, young));
        await Database.ExecuteAsync("DELETE FROM payment_attempt WHERE payment_id IN @ids", new { ids = new[] { waiting, young } }, Cancelled);

        async Task<string> AttemptAsync(int days, bool checks)
        {
            var id = Id(days);
            await Database.ExecuteAsync("""
                INSERT INTO payment_attempt (payment_id, number, pg_payment_id, status, check_at)
                VALUES (@id, 1, @id, 'ABANDONED', IF(@checks, UTC_TIMESTAMP(6) + INTERVAL 1 DAY, NULL))
                """, new { id, checks }, Cancelled);
            return id;
        }
    }

    [Fact]
    public async Task Rebuild_barriers_of_coupons_that_ended_long_ago_are_deleted()
    {
        var (old, young) = (await CouponAsync(days: 301), await CouponAsync(days: 299));

        Assert.True(await Store.DeleteRebuildBarriersAsync(Age, Cancelled) >= 1);

        Assert.Equal([young], await Database.QueryAsync<long>("SELECT coupon_id FROM coupon_fence WHERE coupon_id IN @ids", new { ids = new[] { old, young } }, Cancelled));

        async Task<long> CouponAsync(int days)
        {
            var coupon = await Stack.CouponAsync(total: 1);
            await Database.ExecuteAsync("""
                UPDATE coupon SET starts_at = UTC_TIMESTAMP(6) - INTERVAL @days DAY - INTERVAL 1 HOUR, ends_at = UTC_TIMESTAMP(6) - INTERVAL @days DAY WHERE id = @Id
                """, new { coupon.Id, days }, Cancelled);
            await Database.ExecuteAsync("INSERT INTO coupon_fence (coupon_id, epoch, `partition`) VALUES (@Id, 9, 0)", new { coupon.Id }, Cancelled);
            return coupon.Id;
        }
    }

    [Fact]
    public async Task Old_differences_of_the_inventory_are_deleted()
    {
        await Database.ExecuteAsync("""
            INSERT INTO inventory_drift (product_id, epoch, stock, held, available, found_at)
            VALUES (-1, 301, 0, 0, 0, UTC_TIMESTAMP(6) - INTERVAL 301 DAY), (-1, 299, 0, 0, 0, UTC_TIMESTAMP(6) - INTERVAL 299 DAY)
            """, null, Cancelled);

        Assert.True(await Store.DeleteInventoryDriftAsync(Age, Cancelled) >= 1);

        Assert.Equal([299], await Database.QueryAsync<int>("SELECT epoch FROM inventory_drift WHERE product_id = -1", null, Cancelled));
        await Database.ExecuteAsync("DELETE FROM inventory_drift WHERE product_id = -1", null, Cancelled);
    }

    [Fact]
    public async Task Old_actions_of_administrators_are_deleted()
    {
        await Database.ExecuteAsync("""
            INSERT INTO admin_action (actor, action, subject, created_at)
            VALUES ('retired', 'Old', 'test', UTC_TIMESTAMP(6) - INTERVAL 301 DAY), ('retired', 'Young', 'test', UTC_TIMESTAMP(6) - INTERVAL 299 DAY)
            """, null, Cancelled);

        Assert.True(await Store.DeleteAdminActionsAsync(Age, Cancelled) >= 1);

        Assert.Equal(["Young"], await Database.QueryAsync<string>("SELECT action FROM admin_action WHERE actor = 'retired'", null, Cancelled));
        await Database.ExecuteAsync("DELETE FROM admin_action WHERE actor = 'retired'", null, Cancelled);
    }

    [Fact]
    public async Task Admissions_whose_pass_ended_long_ago_are_deleted()
    {
        await Database.ExecuteAsync("""
            INSERT INTO waiting_room_admission (event_id, user_id, expires_at, admitted_at, epoch)
            VALUES (-1, 'old', UTC_TIMESTAMP(6) - INTERVAL 301 DAY, UTC_TIMESTAMP(6) - INTERVAL 302 DAY, 1),
                   (-1, 'young', UTC_TIMESTAMP(6) - INTERVAL 299 DAY, UTC_TIMESTAMP(6) - INTERVAL 302 DAY, 1)
            """, null, Cancelled);

        Assert.True(await Store.DeleteAdmissionsAsync(Age, Cancelled) >= 1);

        Assert.Equal(["young"], await Database.QueryAsync<string>("SELECT user_id FROM waiting_room_admission WHERE event_id = -1", null, Cancelled));
        await Database.ExecuteAsync("DELETE FROM waiting_room_admission WHERE event_id = -1", null, Cancelled);
    }

    [Fact]
    public async Task Queues_of_customers_without_unpaid_orders_are_deleted()
    {
        var (product, users) = (await Stack.ProductAsync(stock: 5), await Stack.UsersAsync("queue", 2));
        await users[1].PlaceAsync(product.Id);
        foreach (var user in users) await Database.ExecuteAsync("INSERT INTO order_queue (user_id) VALUES (@Id)", user, Cancelled);

        Assert.True(await Store.DeleteOrderQueuesAsync(Cancelled) >= 1);

        Assert.Equal([users[1].Id], await Database.QueryAsync<string>("SELECT user_id FROM order_queue WHERE user_id IN @ids", new { ids = users.Select(u => u.Id) }, Cancelled));
    }

    static string Id(int days) => Guid.CreateVersion7(TimeProvider.System.GetUtcNow().AddDays(-days)).ToString();

    Task<IReadOnlyList<string>> LeftAsync(string sql, params string[] ids) => Database.QueryAsync<string>(sql, new { ids }, Cancelled);

    Task<int> DeleteOrdersAsync(params string[] ids) => Database.ExecuteInTransactionAsync(async transaction =>
    {
        await transaction.ExecuteAsync("DELETE FROM shipping_info WHERE order_id IN @ids", new { ids });
        return await transaction.ExecuteAsync("DELETE FROM orders WHERE id IN @ids", new { ids });
    }, Cancelled);
}
