using Commerce.Core.Background;
using Commerce.Core.Database;
using Commerce.Core.Outbox;
using Commerce.Core.Reconciliation;
using Microsoft.Extensions.Logging;

namespace Commerce.Core.Orders;

/// <summary>
/// Announces paid orders again that are not off the stock in time: the message was lost, or given up. An order whose message still waits in the
/// outbox is left alone; one that left it a moment ago, after an outage, may be announced twice, which the consumer does not mind.
/// </summary>
public sealed partial class OrderReconciler(Ledger ledger, OutboxWriter outbox, TimeProvider clock, ILogger<OrderReconciler> logger) : IReconciler
{
    /// <summary>A paid order is off the stock in less, unless something is wrong.</summary>
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    const int MostTogether = 200;

    readonly SetAside<string> _aside = new("announcement of order", clock, logger);

    /// <inheritdoc/>
    public string Name => "orders";

    /// <summary>Returns how many orders were announced again.</summary>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        var count = await ledger.TransactAsync(async transaction =>
        {
            var late = await transaction.QueryAsync<string>("""
                SELECT id FROM orders o
                WHERE holding = TRUE AND status = 'PAID' AND paid_at < UTC_TIMESTAMP(6) - INTERVAL @seconds SECOND AND NOT EXISTS (
                  SELECT 1 FROM outbox m LEFT JOIN outbox_waiting w ON w.shard = m.shard AND w.id = m.id
                  LEFT JOIN outbox_refused r ON r.id = m.id AND r.next_attempt_at IS NOT NULL
                  WHERE m.message_key = o.id AND (w.id IS NOT NULL OR r.id IS NOT NULL OR m.created_at > UTC_TIMESTAMP(6) - INTERVAL @seconds SECOND))
                LIMIT @MostTogether FOR UPDATE SKIP LOCKED
                """, new { seconds = (int)Patience.TotalSeconds, MostTogether });
            var announced = 0;
            foreach (var order in late)
                if (await _aside.TryAsync(order, () => OrderLedger.AnnounceAsync(transaction, order), cancellationToken)) announced++;
            return announced;
        }, cancellationToken);
        if (count == 0) return 0;
        outbox.Wake();
        LogAnnounced(logger, count);
        return count;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Count} paid orders were not off the stock in time and are announced again")]
    static partial void LogAnnounced(ILogger logger, int count);
}
