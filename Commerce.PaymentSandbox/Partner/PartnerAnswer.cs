using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Commerce.PaymentSandbox.Partner;

/// <summary>A serialised response. Every repetition gets the same bytes.</summary>
sealed class PartnerAnswer(string code, byte[] json) : IResult
{
    static readonly Dictionary<string, string> Messages = new()
    {
        ["Success"] = "",
        ["Fail"] = "The request failed.",
        ["InvalidMerchant"] = "There is no such merchant.",
        ["InvalidPaymentId"] = "There is no such payment.",
        ["TimeExpired"] = "The time in which the payment could be approved is over.",
        ["AlreadyOnGoing"] = "The payment is being processed.",
        ["AlreadyComplete"] = "The payment is complete already.",
        ["OwnerAuthFail"] = "The owner of the card could not be authenticated.",
        ["BankMaintenance"] = "The bank is under maintenance.",
        ["NotEnoughAccountBalance"] = "The balance of the account is not enough.",
        ["MaintenanceOngoing"] = "The service is under maintenance.",
        ["FaultCheckOngoing"] = "The means of payment is under maintenance.",
        ["AlreadyCanceled"] = "The payment is cancelled already.",
        ["OverRemainAmount"] = "More than what is left cannot be cancelled.",
        ["RestAmountDiff"] = "What would be left is not what was expected.",
        ["TaxScopeAmountError"] = "The taxable and the tax-free amount do not add up.",
        ["CancelNotComplete"] = "The cancel is not complete and will be tried again.",
        ["PreCancelNotComplete"] = "An earlier cancel is not complete. Repeat that one first.",
        ["CancelDeadlineExpired"] = "The time in which the payment could be cancelled is over.",
    };

    public string Code { get; } = code;

    public static PartnerAnswer Success<TBody>(TBody body, JsonTypeInfo<Answer<TBody>> type) where TBody : class =>
        new("Success", JsonSerializer.SerializeToUtf8Bytes(new Answer<TBody>("Success", "", body), type));

    public static PartnerAnswer Of(string code, string? message = null) => new(code, JsonSerializer.SerializeToUtf8Bytes(
        new Answer<NoBody>(code, message ?? Messages.GetValueOrDefault(code, code), null), SandboxJson.Default.AnswerNoBody));

    public Task ExecuteAsync(HttpContext httpContext) =>
        Results.Bytes(json, "application/json;charset=UTF-8").ExecuteAsync(httpContext);
}
