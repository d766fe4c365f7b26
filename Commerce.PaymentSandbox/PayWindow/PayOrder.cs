using Commerce.PaymentSandbox.Faults;

namespace Commerce.PaymentSandbox.PayWindow;

/// <summary>The payment that a shop requests from a user.</summary>
/// <param name="MerchantPayKey">The order: 1 to 64 characters.</param>
/// <param name="TotalPayAmount">Whole KRW: 1 to 1,000,000,000.</param>
/// <param name="MerchantUserKey">The user: 1 to 64 characters.</param>
/// <param name="ProductName">1 to 128 characters.</param>
/// <param name="ReturnUrl">The address to which the browser returns. Programs need none.</param>
/// <param name="Fault">A fault for this payment only. Ignored unless switches are on.</param>
/// <param name="LifetimeMs">How long the payment can be captured, instead of <see cref="SandboxOptions.PaymentLifetime"/>. Ignored
/// unless switches are on.</param>
sealed record PayOrder(
    string? MerchantPayKey, long TotalPayAmount, string? MerchantUserKey, string? ProductName, string? ReturnUrl = null, Fault? Fault = null,
    int? LifetimeMs = null)
{
    const int MaxKeyLength = 64;
    const int MaxNameLength = 128;
    const long MaxAmount = 1_000_000_000;

    /// <summary>The errors by field; empty if the request is valid.</summary>
    public Dictionary<string, string[]> Validate()
    {
        var mistakes = new Dictionary<string, string[]>();
        Check("merchantPayKey", MerchantPayKey is { Length: > 0 and <= MaxKeyLength }, $"1 to {MaxKeyLength} characters.");
        Check("totalPayAmount", TotalPayAmount is > 0 and <= MaxAmount, $"1 to {MaxAmount}.");
        Check("merchantUserKey", MerchantUserKey is { Length: > 0 and <= MaxKeyLength }, $"1 to {MaxKeyLength} characters.");
        Check("productName", ProductName is { Length: > 0 and <= MaxNameLength }, $"1 to {MaxNameLength} characters.");
        if (Fault?.Validate() is { } mistake) mistakes["fault"] = [mistake];
        return mistakes;

        void Check(string field, bool holds, string rule)
        {
            if (!holds) mistakes[field] = [rule];
        }
    }
}

/// <summary>The response for programs.</summary>
sealed record Authorization(string PaymentId);
