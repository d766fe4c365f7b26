using System.Text.Json;
using System.Text.Json.Serialization;

namespace Commerce.PaymentSandbox.Faults;

/// <summary>A fault of the merchant's calls.</summary>
/// <param name="Kind">The kind of fault.</param>
/// <param name="Operation">The affected operation. Null affects all.</param>
/// <param name="Count">The number of affected calls. Null affects all.</param>
/// <param name="DelayMs">Extra processing time: 0 to 120,000.</param>
/// <param name="Code">The response code for <see cref="FaultKind.Code"/>.</param>
/// <param name="Probability">The share of affected calls: 0 to 1.</param>
/// <param name="Seed">Makes the random choice repeatable.</param>
sealed record Fault(
    FaultKind Kind, Operation? Operation = null, int? Count = null, int DelayMs = 0, string? Code = null, double Probability = 1, int? Seed = null)
{
    /// <summary>Returns the error in the fault, or null if it is valid.</summary>
    public string? Validate() => this switch
    {
        { Count: < 1 } => "count must be at least 1.",
        { DelayMs: < 0 or > 120_000 } => "delayMs must be 0 to 120000.",
        { Probability: not (>= 0 and <= 1) } => "probability must be 0 to 1.",
        { Kind: FaultKind.Code, Code: null or "" } => "code is missing.",
        _ => null,
    };
}

[JsonConverter(typeof(CamelCase<Operation>))]
enum Operation
{
    Apply,
    History,
    Cancel,
}

[JsonConverter(typeof(CamelCase<FaultKind>))]
enum FaultKind
{
    /// <summary>The call is processed and answered later, even if the caller has disconnected.</summary>
    Delay,

    /// <summary>The call is neither processed nor answered.</summary>
    Hang,

    /// <summary>The call is processed and not answered.</summary>
    ApproveThenHang,

    /// <summary>The call is not processed, and the connection breaks.</summary>
    Drop,

    /// <summary>The call is processed, and the connection breaks.</summary>
    ApproveThenDrop,

    /// <summary>The call is not processed. The response is 503.</summary>
    Status5xx,

    /// <summary>The call is processed. The response is 503.</summary>
    ApproveThen5xx,

    /// <summary>The call is not processed. The response is truncated.</summary>
    Malformed,

    /// <summary>The call is processed. The response is truncated.</summary>
    ApproveThenMalformed,

    /// <summary>The call is not processed. The response is 200 without a body.</summary>
    Empty,

    /// <summary>The call is processed. The response is 200 without a body.</summary>
    ApproveThenEmpty,

    /// <summary>Captures 1 KRW more than the user authorised.</summary>
    WrongAmount,

    /// <summary>Captures, and from then on reports the order id with the suffix <c>-other</c>. The ledger keeps the true id.</summary>
    WrongOrder,

    /// <summary>The call is not processed. The response has the given code.</summary>
    Code,
}

sealed class CamelCase<TEnum>() : JsonStringEnumConverter<TEnum>(JsonNamingPolicy.CamelCase, allowIntegerValues: false) where TEnum : struct, Enum;
