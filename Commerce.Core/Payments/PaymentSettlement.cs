using System.Diagnostics.Metrics;
using System.Globalization;
using Commerce.Core.Database;
using Commerce.Core.Inventory;
using Commerce.Core.Outbox;
using Microsoft.Extensions.Options;

namespace Commerce.Core.Payments;

/// <summary>The result of settling an attempt.</summary>
public enum Settlement
{
    /// <summary>The outcome is still unknown. It is checked again.</summary>
    Waiting,
    /// <summary>The order is paid.</summary>
    Paid,
    /// <summary>A wrong or late capture was cancelled.</summary>
    Returned,
    /// <summary>Nothing was captured. The order is payable again.</summary>
    Payable,
    /// <summary>Another process settled it first.</summary>
    Superseded,
}

/// <summary>
/// Settles attempts and refunds by what the gateway proves. The Api settles its own attempts, the reconciler those of dead processes.
/// If both work on the same attempt, the database lets one of them succeed.
/// </summary>
public sealed partial class PaymentSettlement(
    PaymentRepository repository, PaymentGateway gateway, InventoryGate gate, OutboxWriter outbox, IOptions<PaymentOptions> options,
    IOptions<PaymentGatewayOptions> gatewayOptions, ILogger<PaymentSettlement> logger)
{
    static readonly Counter<long> Settled = CommerceTelemetry.Meter.CreateCounter<long>("commerce.payments.attempts");
    static readonly Counter<long> Refunded = CommerceTelemetry.Meter.CreateCounter<long>("commerce.payments.refunds");

    /// <summary>The waits between checks of an open attempt.</summary>
    static readonly RetryPolicy RecheckDelays = new() { BaseDelay = TimeSpan.FromMilliseconds(500), MaxDelay = TimeSpan.FromSeconds(30) };

    /// <summary>The waits between checks of an abandoned attempt.</summary>
    static readonly RetryPolicy AbandonedRecheckDelays = new() { BaseDelay = TimeSpan.FromSeconds(2), MaxDelay = TimeSpan.FromMinutes(5) };

    /// <summary>The maximum number of immediate new requests for a refund, after refunds made at the gateway itself.</summary>
    const int MaxRebases = 3;

    /// <summary>The time needed in addition to the calls to the gateway.</summary>
    static readonly TimeSpan Margin = TimeSpan.FromSeconds(3);

    /// <summary>The lease of an approval. It is longer than an approval with all its steps.</summary>
    public TimeSpan ApproveLease => gatewayOptions.Value.ApproveTimeout + CancelLease;

    /// <summary>The lease of a cancel. It is longer than a query and a cancel.</summary>
    public TimeSpan CancelLease => gatewayOptions.Value.QueryTimeout + gatewayOptions.Value.CancelTimeout + Margin;

    /// <summary>Settles an attempt by the gateway's history.</summary>
    public async Task<Settlement> ResolveAsync(OpenAttempt attempt, Action<DbSession>? withPayment = null) =>
        await SettleAsync(attempt, await gateway.FindAsync(attempt.PgPaymentId), withPayment);

    /// <summary>Settles an attempt by what the gateway has captured.</summary>
    /// <param name="withPayment">Runs in the transaction that pays the order.</param>
    public Task<Settlement> SettleAsync(OpenAttempt attempt, FindOutcome found, Action<DbSession>? withPayment) => found switch
    {
        FindOutcome.Found capture when capture.CapturedAmount > capture.CancelledAmount => CapturedAsync(attempt, capture, withPayment),
        FindOutcome.Unknown => WaitAsync(attempt),
        _ => NotCapturedAsync(attempt, wentBack: found is FindOutcome.Found),
    };

    /// <summary>Refuses an attempt that the gateway did not capture. The order is payable again.</summary>
    public async Task<Settlement> RefuseAsync(OpenAttempt attempt, string code, string message) =>
        await repository.EndAsync(attempt, AttemptState.Refused, code, message) ? Count(attempt, Settlement.Payable) : Settlement.Superseded;

    /// <summary>
    /// Requests a refund from the gateway. Returns true if it is done, and null if it is unknown or not done yet. Refunds made at the
    /// gateway meanwhile are recorded, and this refund is requested again with the new remaining amount. If a coupon paid the order, the
    /// gateway is not called.
    /// </summary>
    /// <param name="isFirst">Whether the gateway was never called for this refund before. Its rejection then proves that nothing was
    /// refunded.</param>
    public async Task<bool?> RefundAsync(OpenRefund refund, bool isFirst)
    {
        if (refund.PgPaymentId is not { } pgPaymentId)
        {
            await ReturnAsync(await repository.CompleteRefundAsync(refund, historyId: null));
            return Completed(refund);
        }

        for (var rebases = 0; ; rebases++, isFirst = true)
        {
            var outcome = await gateway.CancelAsync(pgPaymentId, refund.Amount, refund.ExpectedRest, refund.Reason, refund.GatewayKey);
            if (outcome is CancelOutcome.Cancelled { Before: false } done && done.RestAmount == refund.ExpectedRest)
            {
                await ReturnAsync(await repository.CompleteRefundAsync(refund, done.HistoryId));
                return Completed(refund);
            }

            if (outcome is CancelOutcome.NotComplete or CancelOutcome.Unknown) return await WaitAsync(refund);
            // The gateway rejected the refund. Either it was done before, or the gateway has refunds that we do not know.
            if (await gateway.FindAsync(pgPaymentId) is not FindOutcome.Found found) return await WaitAsync(refund);
            var code = outcome is CancelOutcome.Refused refused ? refused.Code : "RestAmountDiff";
            var mayBeDone = !isFirst || outcome is CancelOutcome.Cancelled { Before: false };
            if (await repository.CompareAsync(pgPaymentId, found, refund, mayBeDone, code) is not { Refund: { } compared } comparison)
                return await WaitAsync(refund);
            await RecordedAsync(refund.OrderId, comparison);
            switch (compared.Status)
            {
                case RefundState.Done:
                    return Completed(compared);
                case RefundState.Requested when rebases < MaxRebases:
                    refund = compared;
                    continue;
                case RefundState.Requested:
                    return await WaitAsync(compared);
                default:
                    LogRefundRefused(logger, refund.Id, refund.Amount, refund.OrderId, code);
                    Refunded.Add(1, new KeyValuePair<string, object?>("outcome", "refused"));
                    return false;
            }
        }
    }

    /// <summary>Records refunds made at the gateway itself. Returns false if that is not possible now.</summary>
    public async Task<bool> RecordExternalAsync(string pgPaymentId)
    {
        if (await gateway.FindAsync(pgPaymentId) is not FindOutcome.Found found || await repository.CompareAsync(pgPaymentId, found) is not { } comparison) return false;
        await RecordedAsync(found.OrderId, comparison);
        return true;
    }

    async Task RecordedAsync(string orderId, HistoryComparison comparison)
    {
        await ReturnAsync(comparison.Returned);
        foreach (var cancel in comparison.Recorded)
        {
            Refunded.Add(1, new KeyValuePair<string, object?>("outcome", "external"));
            LogExternal(logger, cancel.Amount, orderId, cancel.HistoryId);
        }
    }

    async Task ReturnAsync(StockReturn? returned)
    {
        if (returned is not null) await InventoryRepository.ReturnAsync(gate, returned);
    }

    bool Completed(OpenRefund refund)
    {
        Refunded.Add(1, new KeyValuePair<string, object?>("outcome", "done"));
        LogRefunded(logger, refund.Amount, refund.OrderId);
        return true;
    }

    async Task<bool?> WaitAsync(OpenRefund refund)
    {
        await repository.WaitAsync(refund, RecheckDelays.Delay(refund.Checks + 1));
        return null;
    }

    async Task<Settlement> CapturedAsync(OpenAttempt attempt, FindOutcome.Found capture, Action<DbSession>? withPayment)
    {
        if (attempt.Status == AttemptState.Cancelling) return await GiveBackAsync(attempt, capture.CapturedAmount - capture.CancelledAmount);
        var right = capture.OrderId == attempt.OrderId && capture.CapturedAmount == attempt.Amount && capture.CancelledAmount == 0;
        if (right && await repository.PayAsync(attempt, withPayment))
        {
            outbox.Wake();
            if (attempt.Status == AttemptState.Abandoned) LogLate(logger, attempt.PgPaymentId, attempt.OrderId);
            return Count(attempt, Settlement.Paid);
        }

        if (!await repository.BeginCancelAsync(attempt, right ? "TooLate" : "Mismatch", CancelLease))
        {
            // The attempt was abandoned before the response arrived, or a later attempt paid with the same gateway payment.
            if (attempt.Status == AttemptState.Abandoned) return await WaitAsync(attempt);
            await repository.WatchAsync(attempt);
            return Settlement.Superseded;
        }

        LogGivingBack(logger, attempt.PgPaymentId, capture.CapturedAmount, capture.OrderId, attempt.Amount, attempt.OrderId);
        // The history says what can be cancelled, not the response.
        return await ResolveAsync(attempt with { Status = AttemptState.Cancelling });
    }

    async Task<Settlement> GiveBackAsync(OpenAttempt attempt, long amount)
    {
        // After a partial refund at the gateway, the cancel is another request and needs another key.
        var key = string.Create(CultureInfo.InvariantCulture, $"{attempt.PaymentId}:{attempt.Number}:cancel:{amount}");
        switch (await gateway.CancelAsync(attempt.PgPaymentId, amount, 0, "The payment does not match the order", key))
        {
            case CancelOutcome.Cancelled:
                return await repository.EndAsync(attempt, AttemptState.Cancelled) ? Count(attempt, Settlement.Returned) : Settlement.Superseded;
            case CancelOutcome.Refused refused:
                LogNotGivenBack(logger, attempt.PgPaymentId, amount, attempt.OrderId, refused.Code);
                break;
        }

        return await WaitAsync(attempt);
    }

    async Task<Settlement> NotCapturedAsync(OpenAttempt attempt, bool wentBack)
    {
        switch (attempt.Status)
        {
            case AttemptState.Cancelling when wentBack:
                return await repository.EndAsync(attempt, AttemptState.Cancelled) ? Count(attempt, Settlement.Returned) : Settlement.Superseded;
            case AttemptState.InFlight when wentBack:
                return await RefuseAsync(attempt, "AlreadyCanceled", "The payment was cancelled at the gateway.");
            case AttemptState.InFlight when attempt.AgeSeconds > options.Value.SettleAfter.TotalSeconds:
                LogAbandoned(logger, attempt.PgPaymentId, attempt.OrderId);
                return await repository.EndAsync(attempt, AttemptState.Abandoned, recheckAfter: AbandonedRecheckDelays.Delay(1)) ? Count(attempt, Settlement.Payable) : Settlement.Superseded;
            case AttemptState.Abandoned when wentBack || attempt.AgeSeconds > (options.Value.SettleAfter + options.Value.WatchAbandoned).TotalSeconds:
                await repository.ForgetAsync(attempt);
                return Settlement.Payable;
            default:
                return await WaitAsync(attempt);
        }
    }

    async Task<Settlement> WaitAsync(OpenAttempt attempt)
    {
        var delay = (attempt.Status == AttemptState.Abandoned ? AbandonedRecheckDelays : RecheckDelays).Delay(attempt.Checks + 1);
        return await repository.WaitAsync(attempt, delay) ? Settlement.Waiting : Settlement.Superseded;
    }

    static Settlement Count(OpenAttempt attempt, Settlement outcome)
    {
        Settled.Add(1, new("outcome", outcome.ToString()), new KeyValuePair<string, object?>("from", attempt.Status));
        return outcome;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Payment {PgPaymentId} for order {OrderId} was captured after the attempt was abandoned; the order is paid")]
    static partial void LogLate(ILogger logger, string pgPaymentId, string orderId);

    [LoggerMessage(Level = LogLevel.Error, Message = "Payment {PgPaymentId} captured {Captured} won for order {CapturedOrderId} instead of {Amount} for {OrderId}, or too late: cancelling it")]
    static partial void LogGivingBack(ILogger logger, string pgPaymentId, long captured, string capturedOrderId, long amount, string orderId);

    [LoggerMessage(Level = LogLevel.Error, Message = "The gateway rejected the cancel of payment {PgPaymentId} ({Amount} won, order {OrderId}): {Code}")]
    static partial void LogNotGivenBack(ILogger logger, string pgPaymentId, long amount, string orderId, string code);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The gateway has no capture of payment {PgPaymentId}; order {OrderId} is payable again")]
    static partial void LogAbandoned(ILogger logger, string pgPaymentId, string orderId);

    [LoggerMessage(Level = LogLevel.Error, Message = "The gateway rejected refund {RefundId} of {Amount} won for order {OrderId}: {Code}")]
    static partial void LogRefundRefused(ILogger logger, string refundId, long amount, string orderId, string code);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Amount} won of order {OrderId} were refunded at the gateway itself ({HistoryId})")]
    static partial void LogExternal(ILogger logger, long amount, string orderId, string? historyId);

    [LoggerMessage(Level = LogLevel.Information, Message = "Refunded {Amount} won of order {OrderId}")]
    static partial void LogRefunded(ILogger logger, long amount, string orderId);
}
