using Commerce.Core.Background;
using Commerce.Core.Reconciliation;
using Commerce.ServiceDefaults;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Commerce.Core.Payments;

/// <summary>
/// Settles what was left open: attempts whose outcome is unknown or whose process died, captures that must go back, refunds that the gateway has not
/// confirmed, and orders that are paid but have no stock, also where the gateway refused their money before.
/// </summary>
public sealed partial class PaymentReconciler(
    PaymentLedger ledger, PaymentSettlement settlement, IOptions<PaymentOptions> options, TimeProvider clock, ILogger<PaymentReconciler> logger)
    : IReconciler
{
    /// <summary>Few calls to the gateway at once: it may be in trouble.</summary>
    const int MostTogether = 8;

    readonly SetAside<string> _attempts = new("payment attempt of order", clock, logger);
    readonly SetAside<string> _refunds = new("refund", clock, logger);
    readonly SetAside<string> _shortfalls = new("refund of order without stock", clock, logger);

    /// <inheritdoc/>
    public string Name => "payments";

    /// <inheritdoc/>
    public async Task<int> RunAsync(CancellationToken cancellationToken) =>
        await RefundShortfallsAsync(cancellationToken) + await SettleAttemptsAsync(cancellationToken) + await RepeatRefundsAsync(cancellationToken);

    async Task<int> RefundShortfallsAsync(CancellationToken cancellationToken)
    {
        var settled = 0;
        foreach (var orderId in await ledger.ListShortfallsAsync(MostTogether, options.Value.RefundAgainAfter, cancellationToken))
        {
            await _shortfalls.TryAsync(orderId, async () =>
            {
                OpenRefund refund;
                try
                {
                    (refund, _) = await ledger.RequestRefundAsync(orderId, null, "SHORTFALL", "system", null, settlement.CancelLease, null, cancellationToken);
                }
                catch (ProblemException)
                {
                    // Another reconciler, or a user, was faster.
                    return;
                }

                LogShortfall(logger, orderId, refund.Amount);
                if (await settlement.RefundAsync(refund) is not null) settled++;
            }, cancellationToken);
        }

        return settled;
    }

    async Task<int> SettleAttemptsAsync(CancellationToken cancellationToken)
    {
        var settled = 0;
        IReadOnlyList<OpenAttempt> due;
        do
        {
            due = await ledger.TakeDueAttemptsAsync(MostTogether, settlement.CancelLease, cancellationToken);
            await Task.WhenAll(due.Select(attempt => _attempts.TryAsync(attempt.OrderId, async () =>
            {
                using var span = CommerceTelemetry.Source.StartActivity("settle payment");
                span?.SetTag("commerce.order_id", attempt.OrderId);
                var outcome = await settlement.AskAsync(attempt);
                span?.SetTag("commerce.outcome", outcome.ToString());
                if (outcome is Settlement.Paid or Settlement.Payable or Settlement.Returned) Interlocked.Increment(ref settled);
            }, cancellationToken)));
        }
        while (due.Count == MostTogether && !cancellationToken.IsCancellationRequested);
        return settled;
    }

    async Task<int> RepeatRefundsAsync(CancellationToken cancellationToken)
    {
        var settled = 0;
        IReadOnlyList<OpenRefund> due;
        do
        {
            due = await ledger.TakeDueRefundsAsync(MostTogether, settlement.CancelLease, cancellationToken);
            await Task.WhenAll(due.Select(refund => _refunds.TryAsync(refund.Id, async () =>
            {
                if (await settlement.RefundAsync(refund) is not null) Interlocked.Increment(ref settled);
            }, cancellationToken)));
        }
        while (due.Count == MostTogether && !cancellationToken.IsCancellationRequested);
        return settled;
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Order {OrderId} is paid but has no stock: {Amount} won go back")]
    static partial void LogShortfall(ILogger logger, string orderId, long amount);
}
