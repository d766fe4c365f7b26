using System.Diagnostics.Metrics;
using Commerce.Core.Background;
using Commerce.Core.Database;
using Commerce.Core.Outbox;
using Commerce.Core.Reconciliation;

namespace Commerce.Core.Orders;

/// <summary>
/// Announces paid orders again, at growing intervals, if their stock was not deducted in time because the message was lost. An order
/// whose message is still in the outbox, or dead there, is skipped. After an outage an order may be announced twice, which is safe.
/// An order whose message is a dead letter is not announced again, because it would fail again. Such an order is logged as an error
/// every minute and counted in <c>commerce.orders.dead</c> until an administrator replays the message or announces the order.
/// </summary>
public sealed partial class OrderReconciler(MySqlDatabase database, OutboxWriter outbox, TimeProvider clock, ILogger<OrderReconciler> logger) : IReconciler
{
    static readonly Gauge<long> Dead = CommerceTelemetry.Meter.CreateGauge<long>("commerce.orders.dead");

    /// <summary>The time after which a paid order is overdue. Its stock is normally deducted much sooner.</summary>
    static readonly TimeSpan OverdueAfter = TimeSpan.FromSeconds(30);

    static readonly TimeSpan MaxInterval = TimeSpan.FromHours(1);
    static readonly TimeSpan ReportInterval = TimeSpan.FromMinutes(1);

    const int BatchSize = 200;

    readonly Quarantine<string> _quarantine = new("announcement of order", clock, logger);
    long? _reportedAt;

    /// <summary>Counts paid orders that wait for an administrator.</summary>
    public const string CountDead = """
        SELECT COUNT(*) FROM order_announcement a JOIN orders o ON o.id = a.order_id WHERE a.dead_at IS NOT NULL AND o.status = 'PAID' AND o.holding
        """;

    /// <inheritdoc/>
    public string Name => "orders";

    /// <summary>Announces overdue orders again and returns their number.</summary>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        await ReportDeadAsync(cancellationToken);
        var count = await database.ExecuteInTransactionAsync(async transaction =>
        {
            var late = await transaction.QueryAsync<string>("""
                SELECT id FROM orders o
                WHERE holding = TRUE AND status = 'PAID' AND paid_at < UTC_TIMESTAMP(6) - INTERVAL @seconds SECOND
                  AND NOT EXISTS (SELECT 1 FROM order_announcement a WHERE a.order_id = o.id AND (a.dead_at IS NOT NULL OR a.next_at > UTC_TIMESTAMP(6)))
                  AND NOT EXISTS (
                    SELECT 1 FROM outbox m LEFT JOIN outbox_waiting w ON w.shard = m.shard AND w.id = m.id LEFT JOIN outbox_refused r ON r.id = m.id
                    WHERE m.message_key = o.id AND m.topic = 'ORDER_PLACED' AND (w.id IS NOT NULL OR r.id IS NOT NULL OR m.created_at > UTC_TIMESTAMP(6) - INTERVAL @seconds SECOND))
                LIMIT @BatchSize FOR UPDATE SKIP LOCKED
                """, new { seconds = (int)OverdueAfter.TotalSeconds, BatchSize });
            var announced = 0;
            foreach (var order in late)
                if (await _quarantine.TryAsync(order, () => AnnounceAgainAsync(transaction, order), cancellationToken)) announced++;
            return announced;
        }, cancellationToken);
        if (count == 0) return 0;
        outbox.Wake();
        LogAnnounced(logger, count);
        return count;
    }

    /// <summary>
    /// Announces an order whose message is dead, with a new message. Returns false if the order is not paid, or its stock is deducted.
    /// </summary>
    public async Task<bool> AnnounceAsync(string orderId, CancellationToken cancellationToken)
    {
        var announced = await database.TryExecuteInTransactionAsync(async transaction =>
        {
            if (await transaction.SingleAsync<int?>(
                    "SELECT 1 FROM orders WHERE id = @orderId AND status = 'PAID' AND holding FOR UPDATE", new { orderId }) is null) return false;
            await OrderRepository.AnnounceAsync(transaction, orderId);
            await transaction.ExecuteAsync("UPDATE order_announcement SET dead_at = NULL WHERE order_id = @orderId", new { orderId });
            return true;
        }, cancellationToken);
        if (announced) outbox.Wake();
        return announced;
    }

    async Task ReportDeadAsync(CancellationToken cancellationToken)
    {
        var (count, oldest) = await database.SingleAsync<(long Count, string? OrderId)>("""
            SELECT COUNT(*) OVER (), a.order_id FROM order_announcement a JOIN orders o ON o.id = a.order_id
            WHERE a.dead_at IS NOT NULL AND o.status = 'PAID' AND o.holding ORDER BY a.dead_at LIMIT 1
            """, null, cancellationToken);
        Dead.Record(count);
        if (count == 0 || (_reportedAt is { } at && clock.GetElapsedTime(at) < ReportInterval)) return;
        _reportedAt = clock.GetTimestamp();
        LogDead(logger, count, oldest!);
    }

    static async Task AnnounceAgainAsync(DbSession transaction, string order)
    {
        await OrderRepository.AnnounceAsync(transaction, order);
        // The exponent is limited to prevent an overflow. The maximum interval applies by then.
        await transaction.ExecuteAsync("""
            INSERT INTO order_announcement (order_id, repeats, next_at) VALUES (@order, 1, UTC_TIMESTAMP(6) + INTERVAL @seconds SECOND)
            ON DUPLICATE KEY UPDATE next_at = UTC_TIMESTAMP(6) + INTERVAL LEAST(@seconds * POW(2, LEAST(repeats, 20)), @longest) SECOND, repeats = repeats + 1
            """, new { order, seconds = (int)OverdueAfter.TotalSeconds, longest = (int)MaxInterval.TotalSeconds });
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} paid orders are announced again: their stock was not deducted in time")]
    static partial void LogAnnounced(ILogger logger, int count);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Count} paid orders wait because their ORDER_PLACED is a dead letter; the oldest is {OrderId}. Replay the dead letter or announce the order")]
    static partial void LogDead(ILogger logger, long count, string orderId);
}
