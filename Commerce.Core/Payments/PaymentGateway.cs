using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Options;
using Polly.CircuitBreaker;
using Polly.Timeout;

namespace Commerce.Core.Payments;

/// <summary>
/// The client of the payment gateway, which is NaverPay's partner API or the sandbox. It never retries, and every call has a timeout.
/// An outcome states only what the response proves. In all other cases the outcome is Unknown, not an exception.
/// </summary>
public sealed partial class PaymentGateway(
    IHttpClientFactory clients, IOptions<PaymentGatewayOptions> options, TimeProvider clock, ILogger<PaymentGateway> logger)
{
    const string Success = "Success";
    const int RowsPerPage = 100;
    const int MaxPages = 100;
    const string KoreanFormat = "yyyyMMddHHmmss";

    static readonly TimeSpan KoreanOffset = TimeSpan.FromHours(9);

    static readonly Histogram<double> Duration = CommerceTelemetry.Meter.CreateHistogram<double>("commerce.payments.gateway.duration", "s");

    PaymentGatewayOptions Options => options.Value;

    /// <summary>Captures a payment that the user authorised in the payment window.</summary>
    /// <param name="pgPaymentId">The id from the payment window.</param>
    /// <param name="idempotencyKey">Equal keys get equal responses: up to 64 letters, digits and punctuation.</param>
    /// <exception cref="OperationCanceledException">Caused by <paramref name="cancellationToken"/>; the outcome is unknown.</exception>
    public Task<ApproveOutcome> ApproveAsync(string pgPaymentId, string idempotencyKey, CancellationToken cancellationToken = default) =>
        MeasureAsync("approve", pgPaymentId, async () =>
        {
            using var request = Form("v2.2/apply/payment", idempotencyKey, new() { ["paymentId"] = pgPaymentId });
            var reply = await SendAsync(request, PaymentGatewayJson.Default.GatewayResponseApproveBody, Options.ApproveTimeout, cancellationToken);
            return reply switch
            {
                { NotExecuted: { } reason } => new ApproveOutcome.NotExecuted(reason),
                { Answer: null } => new ApproveOutcome.Unknown(reply.Unproven),
                { Answer.Code: Success } => Approved(pgPaymentId, reply.Answer.Body),
                { Answer.Code: "AlreadyOnGoing" } => new ApproveOutcome.InProgress(),
                { Answer.Code: "AlreadyComplete" } => new ApproveOutcome.AlreadyComplete(),
                { Answer.Code: "Fail" or "InvalidMerchant" or "TimeExpired" or "OwnerAuthFail" or "BankMaintenance" or "NotEnoughAccountBalance"
                    or "MaintenanceOngoing" or "FaultCheckOngoing" } => new ApproveOutcome.Refused(reply.Answer.Code, reply.Answer.Message ?? ""),
                _ => (ApproveOutcome)new ApproveOutcome.Unknown($"code {reply.Answer.Code}"),
            };
        }, cancellationToken);

    /// <summary>Reads the gateway's history of a payment.</summary>
    /// <exception cref="OperationCanceledException">Caused by <paramref name="cancellationToken"/>.</exception>
    public Task<FindOutcome> FindAsync(string pgPaymentId, CancellationToken cancellationToken = default) =>
        MeasureAsync("find", pgPaymentId, async () =>
        {
            var (entries, reason) = await ReadHistoryAsync(page => new(pgPaymentId, page, RowsPerPage), cancellationToken);
            return entries is null ? new FindOutcome.Unknown(reason) : Found(pgPaymentId, entries);
        }, cancellationToken);

    /// <summary>Lists the cancels of all payments between two times, whoever requested them.</summary>
    /// <exception cref="OperationCanceledException">Caused by <paramref name="cancellationToken"/>.</exception>
    public Task<CancelHistory> ListCancelsAsync(DateTimeOffset from, DateTimeOffset to, CancellationToken cancellationToken = default) =>
        MeasureAsync("list", "", async () =>
        {
            var (entries, reason) = await ReadHistoryAsync(
                page => new(null, page, RowsPerPage, "CANCEL", KoreanTime(from), KoreanTime(to)), cancellationToken);
            if (entries is null) return new CancelHistory(null, reason);
            var done = entries.FindAll(e => e is { AdmissionState: "SUCCESS", AdmissionTypeCode: "03" or "04" });
            return done.Exists(e => e.PaymentId is null || e.TotalPayAmount is null)
                ? new CancelHistory(null, "an entry that cannot be read")
                : new CancelHistory(done.ConvertAll(CancelOf));
        }, cancellationToken);

    /// <summary>Reads all pages of the history. Returns null and the reason if the gateway did not return all of them.</summary>
    async Task<(List<HistoryEntry>? Entries, string Reason)> ReadHistoryAsync(Func<int, HistoryQuery> query, CancellationToken cancellationToken)
    {
        var entries = new List<HistoryEntry>();
        for (var (page, pages) = (1, 1); page <= pages; page++)
        {
            using var request = Request("v2.2/list/history", JsonContent.Create(query(page), PaymentGatewayJson.Default.HistoryQuery));
            var reply = await SendAsync(request, PaymentGatewayJson.Default.GatewayResponseHistoryBody, Options.QueryTimeout, cancellationToken);
            if (reply.Answer is not { Code: Success, Body.List: { } list })
                return (null, reply.NotExecuted ?? (reply.Answer is { } answer ? $"code {answer.Code}" : reply.Unproven));
            entries.AddRange(list);
            pages = reply.Answer.Body.TotalPageCount;
            if (pages > MaxPages) return (null, $"{pages} pages");
        }

        return (entries, "");
    }

    /// <summary>Refunds a payment, in full or in part.</summary>
    /// <param name="pgPaymentId">The payment.</param>
    /// <param name="amount">The amount to refund, in whole KRW.</param>
    /// <param name="expectedRest">The captured amount that remains after the refund. The gateway rejects the call if its own result
    /// differs.</param>
    /// <param name="reason">Shown to the user. At most 256 bytes of UTF-8 are sent.</param>
    /// <param name="idempotencyKey">Equal keys get equal responses: up to 64 letters, digits and punctuation.</param>
    /// <exception cref="OperationCanceledException">Caused by <paramref name="cancellationToken"/>; the outcome is unknown.</exception>
    public Task<CancelOutcome> CancelAsync(
        string pgPaymentId, long amount, long expectedRest, string reason, string idempotencyKey, CancellationToken cancellationToken = default) =>
        MeasureAsync("cancel", pgPaymentId, async () =>
        {
            using var request = Form("v1/cancel", idempotencyKey, new()
            {
                ["paymentId"] = pgPaymentId,
                ["cancelAmount"] = Number(amount),
                ["cancelReason"] = Truncate(reason, 256),
                // 2 stands for the merchant, 1 for the buyer at the gateway's own site.
                ["cancelRequester"] = "2",
                ["taxScopeAmount"] = Number(amount),
                ["taxExScopeAmount"] = "0",
                ["doCompareRest"] = "1",
                ["expectedRestAmount"] = Number(expectedRest),
            });
            var reply = await SendAsync(request, PaymentGatewayJson.Default.GatewayResponseCancelBody, Options.CancelTimeout, cancellationToken);
            var (code, message) = (reply.Answer?.Code, reply.Answer?.Message ?? "");
            return reply switch
            {
                { NotExecuted: { } why } => new CancelOutcome.NotComplete(CancelOutcome.NotExecuted, why),
                { Answer: null } => new CancelOutcome.Unknown(reply.Unproven),
                { Answer: { Code: Success, Body: { TotalRestAmount: { } rest } body } } when body.PaymentId == pgPaymentId =>
                    new CancelOutcome.Cancelled(rest, body.PayHistId),
                // The payment is in the requested state, whoever caused it.
                { Answer.Code: "AlreadyCanceled" } when expectedRest == 0 => new CancelOutcome.Cancelled(0, Before: true),
                { Answer.Code: "CancelNotComplete" or "PreCancelNotComplete" or "AlreadyOnGoing" or "MaintenanceOngoing" or "FaultCheckOngoing"
                    or "BankMaintenance" } => new CancelOutcome.NotComplete(code!, message),
                { Answer.Code: "Fail" or "InvalidMerchant" or "InvalidPaymentId" or "AlreadyCanceled" or "OverRemainAmount" or "RestAmountDiff"
                    or "CancelDeadlineExpired" or "TaxScopeAmountError" or "TaxScopeAmtGreaterThanRemainError" or "InvalidDiscountCancelCondition" } =>
                    new CancelOutcome.Refused(code!, message),
                _ => (CancelOutcome)new CancelOutcome.Unknown($"code {code}"),
            };
        }, cancellationToken);

    /// <summary>
    /// Creates the URL of the payment window for the user's browser. The window returns to <paramref name="returnUrl"/> with
    /// <c>resultCode</c> and <c>paymentId</c>.
    /// </summary>
    /// <param name="orderId">The gateway returns it as the order of the capture.</param>
    /// <param name="amount">The amount to pay, in whole KRW.</param>
    /// <param name="userKey">The gateway returns it as the user of the capture.</param>
    /// <param name="productName">Shown to the user. At most 128 bytes of UTF-8 are sent.</param>
    /// <param name="returnUrl">An absolute URL.</param>
    public Uri PayUrl(string orderId, long amount, string userKey, string productName, Uri returnUrl) =>
        new(QueryHelpers.AddQueryString(Options.PayWindowUrl!.AbsoluteUri, new Dictionary<string, string?>
        {
            ["merchantPayKey"] = orderId,
            ["totalPayAmount"] = Number(amount),
            ["merchantUserKey"] = userKey,
            ["productName"] = Truncate(productName, 128),
            ["returnUrl"] = returnUrl.AbsoluteUri,
        }));

    static ApproveOutcome Approved(string pgPaymentId, ApproveBody? body) =>
        body is { Detail: { MerchantPayKey: { } orderId, TotalPayAmount: { } amount, AdmissionState: "SUCCESS" } } && body.PaymentId == pgPaymentId
            ? new ApproveOutcome.Approved(orderId, amount)
            : new ApproveOutcome.Unknown("Success without its details");

    static FindOutcome Found(string pgPaymentId, List<HistoryEntry> entries)
    {
        if (entries.Exists(e => e.PaymentId != pgPaymentId || e.TotalPayAmount is null || e.AdmissionTypeCode is not ("01" or "03" or "04")))
            return new FindOutcome.Unknown("an entry that cannot be read");
        var done = entries.FindAll(e => e.AdmissionState is "SUCCESS");
        if (done.Find(e => e.AdmissionTypeCode is "01") is not { } capture)
            return done.Count == 0 ? new FindOutcome.NotCaptured() : new FindOutcome.Unknown("cancels without an approval");
        if (capture.MerchantPayKey is not { } orderId) return new FindOutcome.Unknown("an approval that cannot be read");
        var cancels = done.FindAll(e => e.AdmissionTypeCode is not "01").ConvertAll(CancelOf);
        return new FindOutcome.Found(capture.TotalPayAmount!.Value, cancels.Sum(c => c.Amount), orderId)
        {
            Cancels = cancels.Count == 0 ? [] : [.. cancels.OrderBy(c => c.At)],
        };
    }

    static GatewayCancel CancelOf(HistoryEntry entry) => new(entry.PaymentId!, entry.PayHistId, entry.TotalPayAmount!.Value,
        DateTime.TryParseExact(entry.AdmissionYmdt, KoreanFormat, CultureInfo.InvariantCulture, DateTimeStyles.None, out var at)
            ? DateTime.SpecifyKind(at - KoreanOffset, DateTimeKind.Utc)
            : null);

    static string KoreanTime(DateTimeOffset time) => time.ToOffset(KoreanOffset).ToString(KoreanFormat, CultureInfo.InvariantCulture);

    HttpRequestMessage Form(string path, string idempotencyKey, Dictionary<string, string> fields)
    {
        var request = Request(path, new FormUrlEncodedContent(fields));
        request.Headers.Add("X-NaverPay-Idempotency-Key", idempotencyKey);
        return request;
    }

    HttpRequestMessage Request(string path, HttpContent content) =>
        new(HttpMethod.Post, $"/{Options.PartnerId}/naverpay/payments/{path}") { Content = content };

    async Task<Reply<TBody>> SendAsync<TBody>(
        HttpRequestMessage request, JsonTypeInfo<GatewayResponse<TBody>> type, TimeSpan timeout, CancellationToken cancellationToken)
        where TBody : class
    {
        using var deadline = new CancellationTokenSource(timeout, clock);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        using var client = clients.CreateClient(nameof(PaymentGateway));
        try
        {
            using var response = await client.SendAsync(request, ending.Token);
            if (response.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden or HttpStatusCode.TooManyRequests)
                return Reply<TBody>.Rejected($"HTTP {(int)response.StatusCode}");
            if (response.StatusCode is not HttpStatusCode.OK) return Reply<TBody>.Nothing($"HTTP {(int)response.StatusCode}");
            var answer = JsonSerializer.Deserialize(await response.Content.ReadAsByteArrayAsync(ending.Token), type);
            return answer?.Code is null ? Reply<TBody>.Nothing("an answer without a code") : new Reply<TBody>(answer, null, "");
        }
        catch (BrokenCircuitException)
        {
            return Reply<TBody>.Rejected("too many calls to the gateway failed lately");
        }
        // Name resolution, connection or TLS failed, so the request has not left this process.
        catch (HttpRequestException e) when (e.HttpRequestError
            is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError)
        {
            return Reply<TBody>.Rejected($"no connection ({e.HttpRequestError})");
        }
        catch (HttpRequestException e)
        {
            return Reply<TBody>.Nothing($"the connection was lost ({e.HttpRequestError})");
        }
        catch (JsonException)
        {
            return Reply<TBody>.Nothing("an answer that cannot be read");
        }
        catch (TimeoutRejectedException)
        {
            return Reply<TBody>.Nothing("no answer in time");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return Reply<TBody>.Nothing("no answer in time");
        }
    }

    async Task<TOutcome> MeasureAsync<TOutcome>(
        string operation, string pgPaymentId, Func<Task<TOutcome>> call, CancellationToken cancellationToken) where TOutcome : class
    {
        using var span = CommerceTelemetry.Source.StartActivity($"payment gateway {operation}");
        span?.SetTag("commerce.pg_payment_id", pgPaymentId);
        var start = clock.GetTimestamp();
        var name = "cancelled";
        try
        {
            cancellationToken.ThrowIfCancellationRequested();
            var outcome = await call();
            name = outcome.GetType().Name;
            if (outcome is ApproveOutcome.Unknown or FindOutcome.Unknown or CancelOutcome.Unknown or CancelHistory { Cancels: null })
            {
                span?.SetStatus(ActivityStatusCode.Error);
                LogUnknown(operation, pgPaymentId, $"{outcome}");
            }
            return outcome;
        }
        finally
        {
            span?.SetTag("commerce.outcome", name);
            Duration.Record(
                clock.GetElapsedTime(start).TotalSeconds,
                new KeyValuePair<string, object?>("operation", operation), new KeyValuePair<string, object?>("outcome", name));
        }
    }

    static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    /// <summary>Returns the longest prefix of whole characters that fits into a number of UTF-8 bytes.</summary>
    static string Truncate(string text, int bytes)
    {
        var left = bytes;
        var length = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            left -= rune.Utf8SequenceLength;
            if (left < 0) break;
            length += rune.Utf16SequenceLength;
        }
        return text[..length];
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Gateway {Operation} of {PgPaymentId} has no proven outcome: {Outcome}")]
    partial void LogUnknown(string operation, string pgPaymentId, string outcome);

    /// <summary>A response, a reason why the call was provably not processed, or a reason why the outcome is unknown.</summary>
    sealed record Reply<TBody>(GatewayResponse<TBody>? Answer, string? NotExecuted, string Unproven) where TBody : class
    {
        public static Reply<TBody> Rejected(string reason) => new(null, reason, "");

        public static Reply<TBody> Nothing(string reason) => new(null, null, reason);
    }
}
