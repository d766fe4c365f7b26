using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Options;

namespace Commerce.PaymentSandbox.Partner;

/// <summary>Admits only the merchant.</summary>
sealed class MerchantFilter(IOptions<SandboxOptions> options) : IEndpointFilter
{
    public ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var headers = context.HttpContext.Request.Headers;
        var merchant = options.Value;
        if (!Same(headers["X-Naver-Client-Id"], merchant.ClientId) || !Same(headers["X-Naver-Client-Secret"], merchant.ClientSecret))
            return ValueTask.FromResult<object?>(TypedResults.Json(
                new NotAuthenticated("024", "Authentication failed."), SandboxJson.Default.NotAuthenticated,
                statusCode: StatusCodes.Status401Unauthorized));
        if (!Same(headers["X-NaverPay-Chain-Id"], merchant.ChainId)) return ValueTask.FromResult<object?>(PartnerAnswer.Of("InvalidMerchant"));
        return next(context);
    }

    static bool Same(string? given, string wanted) =>
        CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(given ?? ""), Encoding.UTF8.GetBytes(wanted));
}
