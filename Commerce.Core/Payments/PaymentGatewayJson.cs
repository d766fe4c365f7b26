using System.Text.Json;
using System.Text.Json.Serialization;

namespace Commerce.Core.Payments;

/// <summary>Every answer of the gateway: a code, words for it, and with <c>Success</c> a body.</summary>
sealed record GatewayAnswer<TBody>(string? Code, string? Message, TBody? Body) where TBody : class;

sealed record ApproveBody(string? PaymentId, HistoryEntry? Detail);

sealed record HistoryQuery(string PaymentId, int PageNumber, int RowsPerPage);

sealed record HistoryBody(int TotalPageCount, IReadOnlyList<HistoryEntry>? List);

/// <summary>An approval or a cancel, and of it what is used: the rest may look as it likes.</summary>
/// <param name="AdmissionTypeCode">01: approval, 03: cancel of all, 04: cancel of a part.</param>
/// <param name="AdmissionState">SUCCESS or FAIL.</param>
/// <param name="TotalPayAmount">Whole KRW; of a cancel what went back.</param>
sealed record HistoryEntry(string? PaymentId, string? MerchantPayKey, string? AdmissionTypeCode, string? AdmissionState, long? TotalPayAmount);

sealed record CancelBody(string? PaymentId, long? TotalRestAmount);

[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(GatewayAnswer<ApproveBody>))]
[JsonSerializable(typeof(GatewayAnswer<HistoryBody>))]
[JsonSerializable(typeof(GatewayAnswer<CancelBody>))]
[JsonSerializable(typeof(HistoryQuery))]
sealed partial class PaymentGatewayJson : JsonSerializerContext;
