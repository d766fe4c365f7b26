using System.Globalization;

namespace Commerce.PaymentSandbox.Partner;

/// <summary>NaverPay's response format: a code, a message, and a body if the code is Success.</summary>
sealed record Answer<TBody>(string Code, string Message, TBody? Body) where TBody : class;

sealed record NoBody;

/// <summary>The response of NaverPay's API gateway to unauthenticated callers.</summary>
sealed record NotAuthenticated(string ErrorCode, string ErrorMessage);

sealed record ApplyBody(string PaymentId, Entry Detail);

sealed record HistoryBody(int ResponseCount, int TotalCount, int TotalPageCount, int CurrentPageNumber, IReadOnlyList<Entry> List);

sealed record CancelBody(
    string PaymentId, string PayHistId, string PrimaryPayMeans, long PrimaryPayCancelAmount, long PrimaryPayRestAmount, long NpointCancelAmount,
    long NpointRestAmount, string CancelYmdt, long TotalRestAmount);

/// <param name="ApprovalType">ALL, APPROVAL or CANCEL.</param>
/// <param name="StartTime">Korean time. Required with <paramref name="EndTime"/> if neither payment nor order is given.</param>
sealed record HistoryQuery(
    string? PaymentId, string? MerchantPayKey, string? ApprovalType, string? StartTime = null, string? EndTime = null, int PageNumber = 1, int RowsPerPage = 20);

/// <summary>An entry of the history: a capture or a cancel.</summary>
/// <param name="AdmissionTypeCode">01: capture, 03: full cancel, 04: partial cancel.</param>
/// <param name="AdmissionYmdt">Korean time.</param>
/// <param name="TotalPayAmount">The amount in whole KRW. For a cancel, the refunded amount.</param>
sealed record Entry(
    string PaymentId, string PayHistId, string MerchantId, string MerchantName, string MerchantPayKey, string MerchantUserKey,
    string AdmissionTypeCode, string AdmissionYmdt, string TradeConfirmYmdt, string AdmissionState, long TotalPayAmount, long PrimaryPayAmount,
    long NpointPayAmount, string PrimaryPayMeans, string ProductName);

static class KoreanTime
{
    static readonly TimeSpan Offset = TimeSpan.FromHours(9);

    /// <summary>Formats a time as NaverPay does: yyyyMMddHHmmss.</summary>
    public static string Text(DateTimeOffset time) => time.ToOffset(Offset).ToString("yyyyMMddHHmmss", CultureInfo.InvariantCulture);

    public static string Date(DateTimeOffset time) => Text(time)[..8];
}
