using Commerce.Core.Database;

namespace Commerce.Core.Retention;

/// <summary>Deletes rows that are older than <see cref="RetentionOptions"/> allows.</summary>
public sealed class RetentionStore(MySqlDatabase database, TimeProvider clock)
{
    /// <summary>Deletes the addresses of closed orders. Returns their number.</summary>
    public Task<int> DeleteShippingAsync(TimeSpan age, CancellationToken cancellationToken) => DeleteAsync("""
        DELETE FROM shipping_info WHERE order_id < @before
          AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.id = order_id AND o.status IN ('CREATED', 'PENDING_PAYMENT'))
        ORDER BY order_id
        """, age, cancellationToken);

    /// <summary>Deletes settled attempts of old payments. Returns their number.</summary>
    public Task<int> DeletePaymentAttemptsAsync(TimeSpan age, CancellationToken cancellationToken) => DeleteAsync("""
        DELETE FROM payment_attempt WHERE payment_id < @before AND check_at IS NULL AND status NOT IN ('INFLIGHT', 'CANCELLING')
        ORDER BY payment_id
        """, age, cancellationToken);

    /// <summary>Deletes the rebuild barriers of ended coupons. Returns their number.</summary>
    public Task<int> DeleteRebuildBarriersAsync(TimeSpan age, CancellationToken cancellationToken) => DeleteAsync("""
        DELETE FROM coupon_fence WHERE coupon_id IN (SELECT id FROM coupon WHERE ends_at < UTC_TIMESTAMP(6) - INTERVAL @seconds SECOND)
        ORDER BY coupon_id, epoch
        """, age, cancellationToken);

    /// <summary>Deletes old drift records. Returns their number.</summary>
    public Task<int> DeleteInventoryDriftAsync(TimeSpan age, CancellationToken cancellationToken) => DeleteAsync(
        "DELETE FROM inventory_drift WHERE found_at < UTC_TIMESTAMP(6) - INTERVAL @seconds SECOND ORDER BY id", age, cancellationToken);

    /// <summary>Deletes old actions of administrators. Returns their number.</summary>
    public Task<int> DeleteAdminActionsAsync(TimeSpan age, CancellationToken cancellationToken) => DeleteAsync(
        "DELETE FROM admin_action WHERE created_at < UTC_TIMESTAMP(6) - INTERVAL @seconds SECOND ORDER BY id", age, cancellationToken);

    /// <summary>Deletes the admissions of passes that ended long ago. Returns their number.</summary>
    public Task<int> DeleteAdmissionsAsync(TimeSpan age, CancellationToken cancellationToken) => DeleteAsync(
        "DELETE FROM waiting_room_admission WHERE expires_at < UTC_TIMESTAMP(6) - INTERVAL @seconds SECOND ORDER BY expires_at", age, cancellationToken);

    /// <summary>
    /// Deletes the queues of customers without unpaid orders. Returns their number. An order that is being placed locks its row until it
    /// commits, and a later order adds the row again.
    /// </summary>
    public Task<int> DeleteOrderQueuesAsync(CancellationToken cancellationToken) => DeleteAsync("""
        DELETE FROM order_queue WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.user_id = order_queue.user_id AND o.status IN ('CREATED', 'PENDING_PAYMENT'))
        ORDER BY user_id
        """, TimeSpan.Zero, cancellationToken);

    Task<int> DeleteAsync(string sql, TimeSpan age, CancellationToken cancellationToken) =>
        database.DeleteInPagesAsync(sql, new { before = FirstIdAt(clock.GetUtcNow() - age), seconds = (long)age.TotalSeconds }, cancellationToken);

    /// <summary>
    /// Returns the first 13 characters of an id created at this time. Ids of orders and payments are UUIDs of version 7 and begin with
    /// their creation time. Older rows are therefore a range of the primary key, and no index on a time is needed.
    /// </summary>
    internal static string FirstIdAt(DateTimeOffset time) => Guid.CreateVersion7(time).ToString()[..13];
}
