using System.Text.Json;
using System.Text.Json.Serialization;

namespace Commerce.Core.Payments;

/// <summary>A response of the gateway: a code, a message, and a body if the code is <c>Success</c>.</summary>
sealed record GatewayResponse<TBody>(string? Code, string? Message, TBody? Body) where TBody : class;

sealed record ApproveBody(string? PaymentId, HistoryEntry? Detail);

/// <param name="PaymentId">Null requests all payments between <paramref name="StartTime"/> and <paramref name="EndTime"/>.</param>
/// <param name="ApprovalType">APPROVAL or CANCEL, or null for both.</param>
/// <param name="StartTime">Korean time, yyyyMMddHHmmss. The start and the end are inclusive.</param>
sealed record HistoryQuery(string? PaymentId, int PageNumber, int RowsPerPage, string? ApprovalType = null, string? StartTime = null, string? EndTime = null);

sealed record HistoryBody(int TotalPageCount, IReadOnlyList<HistoryEntry>? List);

/// <summary>An approval or a cancel. Only the fields in use are listed.</summary>
/// <param name="PayHistId">The id of this entry.</param>
/// <param name="AdmissionTypeCode">01: approval, 03: full cancel, 04: partial cancel.</param>
/// <param name="AdmissionYmdt">Korean time, yyyyMMddHHmmss.</param>
/// <param name="AdmissionState">SUCCESS or FAIL.</param>
/// <param name="TotalPayAmount">The amount in whole KRW. For a cancel, the refunded amount.</param>
sealed record HistoryEntry(
    string? PaymentId, string? PayHistId, string? MerchantPayKey, string? AdmissionTypeCode, string? AdmissionYmdt, string? AdmissionState, long? TotalPayAmount);

sealed record CancelBody(string? PaymentId, string? PayHistId, long? TotalRestAmount);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(GatewayResponse<ApproveBody>))]
[JsonSerializable(typeof(GatewayResponse<HistoryBody>))]
[JsonSerializable(typeof(GatewayResponse<CancelBody>))]
[JsonSerializable(typeof(HistoryQuery))]
sealed partial class PaymentGatewayJson : JsonSerializerContext;
