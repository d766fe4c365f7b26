using Commerce.Core.Background;
using Commerce.Core.Reconciliation;
using Microsoft.Extensions.Options;

namespace Commerce.Core.Payments;

/// <summary>
/// Settles open payments: attempts with an unknown outcome or a dead process, captures to cancel, and unconfirmed refunds. It refunds
/// paid orders without stock, also after a rejected refund, and records refunds made at the gateway itself.
/// </summary>
public sealed partial class PaymentReconciler(
    PaymentRepository repository, PaymentSettlement settlement, PaymentGateway gateway, IOptions<PaymentOptions> options, TimeProvider clock,
    ILogger<PaymentReconciler> logger) : IReconciler
{
    /// <summary>The number of concurrent calls. It is small, because the gateway may have problems.</summary>
    const int BatchSize = 8;

    /// <summary>The maximum period of one history query.</summary>
    static readonly TimeSpan MaxHistoryWindow = TimeSpan.FromHours(1);

    /// <summary>The delay of the gateway's history, including clock differences.</summary>
    static readonly TimeSpan HistoryDelay = TimeSpan.FromMinutes(2);

    readonly Quarantine<string> _attempts = new("payment attempt of order", clock, logger);
    readonly Quarantine<string> _refunds = new("refund", clock, logger);
    readonly Quarantine<string> _shortfalls = new("refund of order without stock", clock, logger);
    long? _read;

    /// <inheritdoc/>
    public string Name => "payments";

    /// <inheritdoc/>
    public async Task<int> RunAsync(CancellationToken cancellationToken) =>
        await RefundShortfallsAsync(cancellationToken) + await SettleAttemptsAsync(cancellationToken) + await RepeatRefundsAsync(cancellationToken)
        + await RecordExternalsAsync(cancellationToken);

    async Task<int> RefundShortfallsAsync(CancellationToken cancellationToken)
    {
        var settled = 0;
        foreach (var orderId in await repository.ListShortfallsAsync(BatchSize, options.Value.RefundRetryDelay, cancellationToken))
        {
            await _shortfalls.TryAsync(orderId, async () =>
            {
                OpenRefund refund;
                try
                {
                    (refund, _) = await repository.RequestRefundAsync(orderId, RefundScope.Rest, "SHORTFALL", "system", null, settlement.CancelLease, null, cancellationToken);
                }
                catch (ProblemException)
                {
                    // Another reconciler or a user was faster.
                    return;
                }

                LogShortfall(logger, orderId, refund.Amount);
                if (await settlement.RefundAsync(refund, isFirst: true) is not null) settled++;
            }, cancellationToken);
        }

        return settled;
    }

    Task<int> SettleAttemptsAsync(CancellationToken cancellationToken) => SettleAllAsync(
        () => repository.TakeDueAttemptsAsync(BatchSize, settlement.CancelLease, cancellationToken), _attempts, attempt => attempt.OrderId, async attempt =>
        {
            using var span = CommerceTelemetry.Source.StartActivity("settle payment");
            span?.SetTag("commerce.order_id", attempt.OrderId);
            var outcome = await settlement.ResolveAsync(attempt);
            span?.SetTag("commerce.outcome", outcome.ToString());
            return outcome is Settlement.Paid or Settlement.Payable or Settlement.Returned;
        }, cancellationToken);

    Task<int> RepeatRefundsAsync(CancellationToken cancellationToken) => SettleAllAsync(
        () => repository.TakeDueRefundsAsync(BatchSize, settlement.CancelLease, cancellationToken), _refunds, refund => refund.Id,
        async refund => await settlement.RefundAsync(refund, isFirst: false) is not null, cancellationToken);

    /// <summary>Takes and settles batches until a batch is not full. Returns the number of settled items.</summary>
    static async Task<int> SettleAllAsync<T>(
        Func<Task<IReadOnlyList<T>>> takeAsync, Quarantine<string> quarantine, Func<T, string> keyOf, Func<T, Task<bool>> settleAsync, CancellationToken cancellationToken)
    {
        var settled = 0;
        IReadOnlyList<T> due;
        do
        {
            due = await takeAsync();
            await Task.WhenAll(due.Select(item => quarantine.TryAsync(keyOf(item), async () =>
            {
                if (await settleAsync(item)) Interlocked.Increment(ref settled);
            }, cancellationToken)));
        }
        while (due.Count == BatchSize && !cancellationToken.IsCancellationRequested);
        return settled;
    }

    /// <summary>
    /// Reads the cancels in the gateway's history since the last run, and records those that were not requested by us. Undecided cancels
    /// are read again in the next run.
    /// </summary>
    async Task<int> RecordExternalsAsync(CancellationToken cancellationToken)
    {
        if (_read is { } at && clock.GetElapsedTime(at) < options.Value.HistoryInterval) return 0;
        _read = clock.GetTimestamp();
        if (await repository.ClaimHistoryAsync(options.Value.HistoryInterval, cancellationToken) is not { } since) return 0;
        var recorded = 0;
        for (var now = clock.GetUtcNow(); since < now.UtcDateTime;)
        {
            var until = now.UtcDateTime < since + MaxHistoryWindow ? now.UtcDateTime : since + MaxHistoryWindow;
            if ((await gateway.ListCancelsAsync(new(since - HistoryDelay, TimeSpan.Zero), new(until, TimeSpan.Zero), cancellationToken)).Cancels is not { } cancels) break;
            var all = true;
            foreach (var pgPaymentId in await repository.ListUnrecordedAsync(cancels, cancellationToken))
            {
                if (await settlement.RecordExternalAsync(pgPaymentId)) recorded++;
                else all = false;
            }

            if (!all) break;
            await repository.AdvanceHistoryAsync(until, cancellationToken);
            since = until;
        }

        return recorded;
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Order {OrderId} is paid but has no stock: refunding {Amount} won")]
    static partial void LogShortfall(ILogger logger, string orderId, long amount);
}
