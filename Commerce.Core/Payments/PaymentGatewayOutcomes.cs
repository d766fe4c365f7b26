namespace Commerce.Core.Payments;

/// <summary>
/// The outcome of one approval call. It says nothing about earlier calls for the same payment. The gateway's history does.
/// </summary>
public abstract record ApproveOutcome
{
    ApproveOutcome() { }

    /// <summary>The money is captured. The capture has not been compared with the order.</summary>
    /// <param name="OrderId">The order from the payment window (<c>merchantPayKey</c>).</param>
    /// <param name="Amount">The captured amount in whole KRW.</param>
    public sealed record Approved(string OrderId, long Amount) : ApproveOutcome;

    /// <summary>The gateway processed the call and captured nothing. Maintenance counts as well.</summary>
    /// <param name="Code">The gateway's code, such as <c>NotEnoughAccountBalance</c>.</param>
    public sealed record Refused(string Code, string Message) : ApproveOutcome;

    /// <summary>Another call for this payment is in progress at the gateway.</summary>
    public sealed record InProgress : ApproveOutcome;

    /// <summary>An earlier call captured the payment. The gateway's history has the details.</summary>
    public sealed record AlreadyComplete : ApproveOutcome;

    /// <summary>The gateway provably did not process the call: no connection, an open circuit, or a rejection (401, 403, 429).</summary>
    public sealed record NotExecuted(string Reason) : ApproveOutcome;

    /// <summary>It is unknown whether the money is captured, or will be. Neither the response nor its absence proves it.</summary>
    public sealed record Unknown(string Reason) : ApproveOutcome;
}

/// <summary>The gateway's history of a payment.</summary>
public abstract record FindOutcome
{
    FindOutcome() { }

    /// <summary>The money was captured. Some or all of it may have been cancelled since.</summary>
    /// <param name="CapturedAmount">The captured amount in whole KRW.</param>
    /// <param name="CancelledAmount">The sum of all cancels in whole KRW.</param>
    /// <param name="OrderId">The order from the payment window (<c>merchantPayKey</c>).</param>
    public sealed record Found(long CapturedAmount, long CancelledAmount, string OrderId) : FindOutcome
    {
        /// <summary>The cancels, oldest first.</summary>
        public IReadOnlyList<GatewayCancel> Cancels { get; init; } = [];
    }

    /// <summary>Nothing was captured so far. A running approval may still capture it.</summary>
    public sealed record NotCaptured : FindOutcome;

    /// <summary>The gateway did not answer the query.</summary>
    public sealed record Unknown(string Reason) : FindOutcome;
}

/// <summary>A cancel in the gateway's history, whoever requested it.</summary>
/// <param name="HistoryId">The id of this cancel, or null if the gateway does not provide one.</param>
/// <param name="Amount">The cancelled amount in whole KRW.</param>
/// <param name="At">The time of the cancel in UTC and whole seconds, or null if it is unreadable.</param>
public sealed record GatewayCancel(string PgPaymentId, string? HistoryId, long Amount, DateTime? At);

/// <summary>All cancels in a period.</summary>
/// <param name="Cancels">Null if the gateway did not answer the query.</param>
/// <param name="Reason">The reason why the gateway did not answer.</param>
public sealed record CancelHistory(IReadOnlyList<GatewayCancel>? Cancels, string Reason = "");

/// <summary>The outcome of one cancel call.</summary>
public abstract record CancelOutcome
{
    CancelOutcome() { }

    /// <summary>The cancel was accepted.</summary>
    /// <param name="RestAmount">The remaining captured amount in whole KRW.</param>
    /// <param name="HistoryId">The id of this cancel in the gateway's history, or null if the gateway does not provide one.</param>
    /// <param name="Before">Whether an earlier call or another party had already done it.</param>
    public sealed record Cancelled(long RestAmount, string? HistoryId = null, bool Before = false) : CancelOutcome;

    /// <summary>
    /// The cancel is not done yet. Repeat the call with the same key and amounts. The gateway is processing it or is in maintenance, or
    /// the call was provably not processed (<paramref name="Code"/> is then <see cref="NotExecuted"/>).
    /// </summary>
    public sealed record NotComplete(string Code, string Message) : CancelOutcome;

    /// <summary>The cancel is impossible: the remaining amount differs, the amount is too large, or there is no such capture.</summary>
    /// <param name="Code">The gateway's code, such as <c>RestAmountDiff</c>.</param>
    public sealed record Refused(string Code, string Message) : CancelOutcome;

    /// <summary>It is unknown whether the cancel is done. Repeat the call with the same key, or query the history.</summary>
    public sealed record Unknown(string Reason) : CancelOutcome;

    /// <summary>The code of a call that did not reach the gateway.</summary>
    public const string NotExecuted = "NotExecuted";
}
