using System.Globalization;
using Commerce.PaymentSandbox.Faults;
using Commerce.PaymentSandbox.Ledger;
using Microsoft.AspNetCore.Mvc;

namespace Commerce.PaymentSandbox.Partner;

/// <summary>The partner API: NaverPay's paths, fields and codes.</summary>
static class PartnerEndpoints
{
    const int MaxRows = 100;

    public static void MapPartnerApi(this IEndpointRouteBuilder app)
    {
        var payments = app.MapGroup("/naverpay-partner/naverpay/payments").AddEndpointFilter<RouteGroupBuilder, MerchantFilter>();
        // Headers authenticate the merchant. A browser cannot add them, unlike a cookie.
        payments.MapPost("/v2.2/apply/payment", ApplyAsync).DisableAntiforgery();
        payments.MapPost("/v2.2/list/history", HistoryAsync);
        payments.MapPost("/v1/cancel", CancelAsync).DisableAntiforgery();
    }

    // Missing fields are rejected after the authentication, with NaverPay's codes.
    static Task<IResult> ApplyAsync(
        [FromForm] string? paymentId, [FromHeader(Name = "X-NaverPay-Idempotency-Key")] string? key,
        HttpContext context, PaymentLedger ledger, IdempotencyKeys keys, FaultyDesk desk)
    {
        var payment = ledger.Find(paymentId ?? "");
        if (payment is not null) ledger.CountApply(payment);
        return desk.ServeAsync(context, Operation.Apply, payment, fault => keys.AnswerAsync(Operation.Apply, key, $"{paymentId}", () =>
            payment is null ? Task.FromResult(PartnerAnswer.Of("Fail", "There is no such payment.")) : ledger.ApplyAsync(payment, fault)));
    }

    static Task<IResult> HistoryAsync(HistoryQuery query, HttpContext context, PaymentLedger ledger, FaultyDesk desk)
    {
        var payment = query.PaymentId is { } id ? ledger.Find(id) : null;
        return desk.ServeAsync(context, Operation.History, payment, async fault =>
        {
            await ledger.WaitAsync(fault);
            return History(query, ledger);
        });
    }

    static Task<IResult> CancelAsync(
        [FromForm] string? paymentId, [FromForm] long? cancelAmount, [FromForm] string? cancelReason, [FromForm] string? cancelRequester,
        [FromForm] long? expectedRestAmount, [FromForm] int? doCompareRest, [FromForm] long? taxScopeAmount, [FromForm] long? taxExScopeAmount,
        [FromHeader(Name = "X-NaverPay-Idempotency-Key")] string? key,
        HttpContext context, PaymentLedger ledger, IdempotencyKeys keys, FaultyDesk desk)
    {
        var payment = ledger.Find(paymentId ?? "");
        var expectedRest = doCompareRest is 0 ? null : expectedRestAmount;
        var parameters = string.Create(CultureInfo.InvariantCulture, $"{paymentId} {cancelAmount} {expectedRest}");
        return desk.ServeAsync(context, Operation.Cancel, payment, fault => keys.AnswerAsync(Operation.Cancel, key, parameters, async () =>
        {
            await ledger.WaitAsync(fault);
            if (payment is null) return PartnerAnswer.Of("InvalidPaymentId");
            if (cancelRequester is not ("1" or "2")) return PartnerAnswer.Of("Fail", "cancelRequester must be 1 or 2.");
            if (string.IsNullOrWhiteSpace(cancelReason)) return PartnerAnswer.Of("Fail", "cancelReason is missing.");
            if (taxScopeAmount is not null && taxScopeAmount + (taxExScopeAmount ?? 0) != cancelAmount)
                return PartnerAnswer.Of("TaxScopeAmountError");
            return ledger.Cancel(payment, cancelAmount ?? 0, expectedRest);
        }));
    }

    static PartnerAnswer History(HistoryQuery query, PaymentLedger ledger)
    {
        if (query.PaymentId is null && query.MerchantPayKey is null && (query.StartTime is null || query.EndTime is null))
            return PartnerAnswer.Of("Fail", "paymentId, merchantPayKey, or startTime and endTime are needed.");
        if (query is { PageNumber: < 1 } or { RowsPerPage: < 1 or > MaxRows }) return PartnerAnswer.Of("Fail", "There is no such page.");
        // The filter uses the reported order, which a fault may have changed.
        var entries = (query.PaymentId is { } id ? ledger.EntriesOf(id) : ledger.AllEntries)
            .Where(e => query.MerchantPayKey is null || e.MerchantPayKey == query.MerchantPayKey)
            .Where(e => query.StartTime is null || string.CompareOrdinal(e.AdmissionYmdt, query.StartTime) >= 0)
            .Where(e => query.EndTime is null || string.CompareOrdinal(e.AdmissionYmdt, query.EndTime) <= 0)
            .Where(e => query.ApprovalType is null or "ALL" || query.ApprovalType is "APPROVAL" == e.AdmissionTypeCode is "01")
            .OrderBy(e => e.AdmissionYmdt, StringComparer.Ordinal)
            .ToList();
        var page = entries.Skip((query.PageNumber - 1) * query.RowsPerPage).Take(query.RowsPerPage).ToList();
        return PartnerAnswer.Success(
            new HistoryBody(
                page.Count, entries.Count, (entries.Count + query.RowsPerPage - 1) / query.RowsPerPage, query.PageNumber, page),
            SandboxJson.Default.AnswerHistoryBody);
    }
}
