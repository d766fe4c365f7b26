using System.Text.Json;
using System.Text.Json.Serialization;

namespace Commerce.PaymentSandbox.Faults;

/// <summary>Something that goes wrong with calls of the merchant.</summary>
/// <param name="Kind">What goes wrong.</param>
/// <param name="Operation">With which calls; with all when null.</param>
/// <param name="Count">How many calls are hit; all when null.</param>
/// <param name="DelayMs">The processing takes so much longer: 0 to 120,000.</param>
/// <param name="Code">What is answered, for <see cref="FaultKind.Code"/>.</param>
/// <param name="Probability">The share of calls that are hit: 0 to 1.</param>
/// <param name="Seed">Makes that share come out the same every time.</param>
sealed record Fault(
    FaultKind Kind, Operation? Operation = null, int? Count = null, int DelayMs = 0, string? Code = null, double Probability = 1, int? Seed = null)
{
    /// <summary>What is wrong with it; null when nothing is.</summary>
    public string? Mistake() => this switch
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
    /// <summary>Processed and answered, only later; also when the caller has gone.</summary>
    Delay,

    /// <summary>Never processed, never answered.</summary>
    Hang,

    /// <summary>Processed, never answered.</summary>
    ApproveThenHang,

    /// <summary>Not processed; the connection breaks.</summary>
    Drop,

    /// <summary>Processed; the connection breaks.</summary>
    ApproveThenDrop,

    /// <summary>Not processed; 503.</summary>
    Status5xx,

    /// <summary>Processed; 503.</summary>
    ApproveThen5xx,

    /// <summary>Not processed; half an answer.</summary>
    Malformed,

    /// <summary>Processed; half an answer.</summary>
    ApproveThenMalformed,

    /// <summary>Not processed; 200 without a body.</summary>
    Empty,

    /// <summary>Processed; 200 without a body.</summary>
    ApproveThenEmpty,

    /// <summary>Captures 1 KRW more than the user authorised.</summary>
    WrongAmount,

    /// <summary>Captures, and tells from then on of the order with <c>-other</c> behind it. The ledger keeps the true one.</summary>
    WrongOrder,

    /// <summary>Not processed; answered with a code.</summary>
    Code,
}

sealed class CamelCase<TEnum>() : JsonStringEnumConverter<TEnum>(JsonNamingPolicy.CamelCase, allowIntegerValues: false) where TEnum : struct, Enum;
