namespace Commerce.Core.Payments;

/// <summary>What became of one call for an approval. About earlier calls with the same payment it says nothing: the history does.</summary>
public abstract record ApproveOutcome
{
    ApproveOutcome() { }

    /// <summary>The money is captured. Nothing of it has been compared with the order.</summary>
    /// <param name="OrderId">The order that was named in the pay window (<c>merchantPayKey</c>).</param>
    /// <param name="Amount">What was captured, in whole KRW.</param>
    public sealed record Approved(string OrderId, long Amount) : ApproveOutcome;

    /// <summary>The gateway has processed the call and captured nothing by it. Maintenance is a refusal, too.</summary>
    /// <param name="Code">The gateway's word, such as <c>NotEnoughAccountBalance</c>.</param>
    public sealed record Refused(string Code, string Message) : ApproveOutcome;

    /// <summary>Another call for this payment is being processed at the gateway.</summary>
    public sealed record InProgress : ApproveOutcome;

    /// <summary>The payment was captured by an earlier call; the history knows the details.</summary>
    public sealed record AlreadyComplete : ApproveOutcome;

    /// <summary>
    /// The gateway has provably not processed the call: no connection was made, the circuit is broken, or it was turned away at the door
    /// (401, 403, 429).
    /// </summary>
    public sealed record NotExecuted(string Reason) : ApproveOutcome;

    /// <summary>Captured or not, now or in a while: nothing in the answer, or in its absence, proves it.</summary>
    public sealed record Unknown(string Reason) : ApproveOutcome;
}

/// <summary>What the gateway's history has of a payment.</summary>
public abstract record FindOutcome
{
    FindOutcome() { }

    /// <summary>The money was captured; perhaps some or all of it went back since.</summary>
    /// <param name="CapturedAmount">Whole KRW.</param>
    /// <param name="CancelledAmount">Whole KRW, of all cancels together.</param>
    /// <param name="OrderId">The order that was named in the pay window (<c>merchantPayKey</c>).</param>
    public sealed record Found(long CapturedAmount, long CancelledAmount, string OrderId) : FindOutcome
    {
        /// <summary>The cancels one by one, oldest first.</summary>
        public IReadOnlyList<GatewayCancel> Cancels { get; init; } = [];
    }

    /// <summary>Nothing was captured up to now. An approval that is under way may still come.</summary>
    public sealed record NotCaptured : FindOutcome;

    /// <summary>The gateway did not tell.</summary>
    public sealed record Unknown(string Reason) : FindOutcome;
}

/// <summary>Money that went back, as the gateway's history has it, whoever asked for it.</summary>
/// <param name="HistoryId">Of this cancel alone; null where the gateway does not tell.</param>
/// <param name="Amount">Whole KRW.</param>
/// <param name="At">UTC, in whole seconds; null where it cannot be read.</param>
public sealed record GatewayCancel(string PgPaymentId, string? HistoryId, long Amount, DateTime? At);

/// <summary>What the gateway's history has of all cancels in a time.</summary>
/// <param name="Cancels">Null where the gateway did not tell.</param>
/// <param name="Reason">Why it did not.</param>
public sealed record CancelHistory(IReadOnlyList<GatewayCancel>? Cancels, string Reason = "");

/// <summary>What became of one call for a cancel.</summary>
public abstract record CancelOutcome
{
    CancelOutcome() { }

    /// <summary>The money goes back.</summary>
    /// <param name="RestAmount">What stays captured, in whole KRW.</param>
    /// <param name="HistoryId">Of this cancel in the gateway's history, where the gateway tells.</param>
    /// <param name="Before">It was so before this call, by an earlier one or by somebody else.</param>
    public sealed record Cancelled(long RestAmount, string? HistoryId = null, bool Before = false) : CancelOutcome;

    /// <summary>
    /// Not done yet: ask again, with the same key and amounts. The gateway has it under way or is in maintenance, or the call has provably
    /// not been processed (<paramref name="Code"/> is <see cref="NotExecuted"/> then).
    /// </summary>
    public sealed record NotComplete(string Code, string Message) : CancelOutcome;

    /// <summary>It cannot be done like this: the rest differs, the amount exceeds it, there is no such capture.</summary>
    /// <param name="Code">The gateway's word, such as <c>RestAmountDiff</c>.</param>
    public sealed record Refused(string Code, string Message) : CancelOutcome;

    /// <summary>Done or not: nothing proves it. Ask again with the same key, or ask the history.</summary>
    public sealed record Unknown(string Reason) : CancelOutcome;

    /// <summary>The code of what did not reach the gateway.</summary>
    public const string NotExecuted = "NotExecuted";
}
