using Commerce.Core.Database;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.Tests;

/// <summary>Records when orders expired by MySQL's clock, which a stalled test process cannot falsify.</summary>
public static class OrderEnds
{
    /// <summary>Starts recording.</summary>
    public static async Task RecordOrderEndsAsync(this CommerceStack stack)
    {
        var database = stack.Services.GetRequiredService<MySqlDatabase>();
        await database.ExecuteAsync("CREATE TABLE IF NOT EXISTS test_order_end (order_id VARCHAR(36) PRIMARY KEY, late_by DOUBLE NOT NULL)", null, Cancelled);
        await database.ExecuteAsync("""
            CREATE TRIGGER IF NOT EXISTS test_order_end AFTER UPDATE ON orders FOR EACH ROW
            INSERT IGNORE INTO test_order_end SELECT NEW.id, TIMESTAMPDIFF(MICROSECOND, OLD.hold_expires_at, UTC_TIMESTAMP(6)) / 1000000
            FROM DUAL WHERE NEW.status = 'EXPIRED' AND OLD.status <> 'EXPIRED'
            """, null, Cancelled);
    }

    /// <summary>The time between the end of an order's hold and its expiry; negative if it was early.</summary>
    public static async Task<TimeSpan> EndedAfterHoldAsync(this CommerceStack stack, string orderId) => TimeSpan.FromSeconds((await Eventually.GetAsync(
        () => stack.Services.GetRequiredService<MySqlDatabase>().SingleAsync<double?>("SELECT late_by FROM test_order_end WHERE order_id = @orderId", new { orderId }, Cancelled),
        late => late is not null))!.Value);

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;
}
