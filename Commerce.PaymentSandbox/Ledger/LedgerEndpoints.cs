using Commerce.PaymentSandbox.Partner;
using Commerce.ServiceDefaults;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Commerce.PaymentSandbox.Ledger;

/// <summary>The ledger for tests and consistency checks.</summary>
static class LedgerEndpoints
{
    /// <summary>Maps the summary for the shop's consistency check. It exists with and without switches.</summary>
    public static void MapLedgerSummary(this IEndpointRouteBuilder app) =>
        app.MapGet("/sandbox/ledger/summary", Summarize).AddEndpointFilter<MerchantFilter>().WithoutTraces();

    public static void MapLedger(this IEndpointRouteBuilder app)
    {
        app.MapGet("/sandbox/ledger", List).WithoutTraces();
        app.MapPost("/sandbox/payments/{paymentId}/cancel", CancelAtConsole);
    }

    static Ok<IEnumerable<PaymentView>> List(string? merchantPayKey, PaymentLedger ledger) => TypedResults.Ok(ledger.Views(merchantPayKey));

    /// <summary>A refund in the gateway's console, or a charge-back. The merchant is not told.</summary>
    static Results<NoContent, ProblemResult> CancelAtConsole(string paymentId, ConsoleCancel cancel, PaymentLedger ledger)
    {
        if (ledger.Find(paymentId) is not { } payment) return CommonProblems.NotFound.ToResult();
        var answer = ledger.Cancel(payment, cancel.Amount, expectedRest: null);
        return answer.Code == "Success" ? TypedResults.NoContent() : CommonProblems.Validation.ToResult(answer.Code);
    }

    static Ok<IEnumerable<OrderSummary>> Summarize(PaymentLedger ledger, LedgerFile file, HttpResponse response)
    {
        // The header tells the caller that older payments cannot be compared with this ledger.
        response.Headers["Ledger-Since"] = file.Since.ToString("O");
        return TypedResults.Ok(ledger.Summarize());
    }
}

/// <summary>A payment in the ledger.</summary>
/// <param name="MerchantPayKey">The order from the payment window, even if a fault has reported another one.</param>
/// <param name="Amount">The authorised amount in whole KRW.</param>
/// <param name="Captured">The captured amount in whole KRW.</param>
/// <param name="Cancelled">The cancelled amount in whole KRW.</param>
/// <param name="State">AUTHORIZED, PROCESSING, CAPTURED, PARTIALLY_CANCELLED, CANCELLED or EXPIRED.</param>
/// <param name="ApplyCalls">The number of approval calls by the merchant, including those that a fault swallowed.</param>
sealed record PaymentView(
    string PaymentId, string MerchantPayKey, string MerchantUserKey, long Amount, long Captured, long Cancelled, string State, int ApplyCalls,
    DateTime AuthorizedAt);

/// <summary>A refund at the console.</summary>
/// <param name="Amount">The amount to refund, in whole KRW.</param>
sealed record ConsoleCancel(long Amount);

/// <summary>The captures of an order.</summary>
/// <param name="Captures">The number of payments with a capture.</param>
/// <param name="NetCaptures">The number of payments with a remaining captured amount.</param>
/// <param name="Captured">The captured amount in whole KRW.</param>
/// <param name="Cancelled">The cancelled amount in whole KRW.</param>
sealed record OrderSummary(string MerchantPayKey, int Captures, int NetCaptures, long Captured, long Cancelled);
