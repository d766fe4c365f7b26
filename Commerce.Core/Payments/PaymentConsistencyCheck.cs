using Commerce.Core.Database;

namespace Commerce.Core.Payments;

/// <summary>Compares payments in the database with captures at the gateway.</summary>
public sealed class PaymentConsistencyCheck(MySqlDatabase database, IGatewayLedger gateway)
{
    /// <summary>Counts payments, attempts and refunds that wait for the gateway.</summary>
    internal const string Waiting = """
        SELECT (SELECT COUNT(*) FROM payment WHERE status IN ('APPROVING', 'SETTLING', 'CANCELLING'))
             + (SELECT COUNT(*) FROM payment_attempt WHERE check_at IS NOT NULL AND status = 'CANCELLING')
             + (SELECT COUNT(*) FROM refund WHERE open_payment IS NOT NULL)
        """;

    /// <summary>Counts paid orders without a captured payment and vice versa, and payments without an order.</summary>
    internal const string Disagreeing = """
        SELECT (SELECT COUNT(*) FROM orders o LEFT JOIN payment p ON p.order_id = o.id
                WHERE (o.status IN ('PAID', 'REFUNDING', 'REFUNDED')) <> (COALESCE(p.status, '') IN ('PAID', 'PARTIALLY_REFUNDED', 'REFUNDED'))
                   OR (o.status = 'REFUNDED') <> (COALESCE(p.status, '') = 'REFUNDED'))
             + (SELECT COUNT(*) FROM payment p LEFT JOIN orders o ON o.id = p.order_id WHERE o.id IS NULL)
        """;

    /// <summary>Returns the number and the sum (whole KRW) of refunds made at the gateway itself.</summary>
    public Task<(long Refunds, long Won)> CountExternalAsync(CancellationToken cancellationToken) =>
        database.SingleAsync<(long Refunds, long Won)>(
            "SELECT COUNT(*), CAST(COALESCE(SUM(amount), 0) AS SIGNED) FROM refund WHERE status = 'EXTERNAL'", null, cancellationToken);

    /// <summary>
    /// Counts orders with several captures, or with another captured amount than in the database. Captures of unknown orders are ignored.
    /// A payment that is older than the gateway's ledger (after a restart of the sandbox) cannot be compared.
    /// </summary>
    /// <exception cref="HttpRequestException">The gateway is unavailable.</exception>
    public async Task<(long Differences, long NotComparable)> CompareAsync(CancellationToken cancellationToken)
    {
        var summary = await gateway.SummarizeAsync(cancellationToken);
        var captured = (summary?.Orders ?? []).ToDictionary(o => o.MerchantPayKey);
        var payments = await database.QueryAsync<(string OrderId, long Kept, DateTime Since)>("""
            SELECT order_id, IF(status IN ('PAID', 'PARTIALLY_REFUNDED', 'REFUNDED'), amount - refunded_amount, 0),
                   COALESCE((SELECT MIN(started_at) FROM payment_attempt a WHERE a.payment_id = p.id), created_at) FROM payment p
            """, null, cancellationToken);
        var (differences, notComparable) = (0L, 0L);
        foreach (var payment in payments)
        {
            var differs = captured.TryGetValue(payment.OrderId, out var order)
                ? order.NetCaptures > 1 || order.Captured - order.Cancelled != payment.Kept
                : payment.Kept != 0;
            if (!differs) continue;
            if (summary is null || payment.Since < summary.Since) notComparable++;
            else differences++;
        }

        return (differences, notComparable);
    }
}
