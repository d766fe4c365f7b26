using System.Diagnostics.CodeAnalysis;
using Commerce.PaymentSandbox.Ledger;
using Commerce.ServiceDefaults;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Options;

namespace Commerce.PaymentSandbox.PayWindow;

/// <summary>The payment window, in which users authorise payments. It captures nothing.</summary>
static class PayWindowEndpoints
{
    public static void MapPayWindow(this IEndpointRouteBuilder app)
    {
        app.MapGet("/pay", Show);
        app.MapGet("/pay.css", () => TypedResults.Stream(typeof(PayPage).Assembly.GetManifestResourceStream("pay.css")!, "text/css"));
        // Nobody is signed in, so cross-site posts are harmless.
        app.MapPost("/pay", Decide).DisableAntiforgery();
        app.MapPost("/pay", Authorize);
    }

    static Results<ContentHttpResult, ProblemResult> Show(
        string? merchantPayKey, long? totalPayAmount, string? merchantUserKey, string? productName, string? returnUrl,
        HttpContext context, IOptions<SandboxOptions> options, IHostEnvironment environment)
    {
        var order = new PayOrder(merchantPayKey, totalPayAmount ?? 0, merchantUserKey, productName, returnUrl);
        if (Refuse(order, options.Value, environment, out var target) is { } refusal) return refusal;
        var headers = context.Response.Headers;
        // Browsers apply form-action to the redirect after the form as well.
        headers.ContentSecurityPolicy =
            $"default-src 'none'; style-src 'self'; form-action 'self' {target.GetLeftPart(UriPartial.Authority)}; frame-ancestors 'none'; base-uri 'none'";
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers.CacheControl = "no-store";
        return TypedResults.Content(PayPage.Render(order), "text/html; charset=utf-8");
    }

    static Results<RedirectHttpResult, ProblemResult> Decide(
        [FromForm] string? merchantPayKey, [FromForm] long? totalPayAmount, [FromForm] string? merchantUserKey, [FromForm] string? productName,
        [FromForm] string? returnUrl, [FromForm] string? action, PaymentLedger ledger, IOptions<SandboxOptions> options, IHostEnvironment environment)
    {
        var order = new PayOrder(merchantPayKey, totalPayAmount ?? 0, merchantUserKey, productName, returnUrl);
        if (Refuse(order, options.Value, environment, out var target) is { } refusal) return refusal;
        var result = action is "pay"
            ? new Dictionary<string, string?> { ["resultCode"] = "Success", ["paymentId"] = ledger.Authorize(order).Id }
            : new Dictionary<string, string?> { ["resultCode"] = "userCancel" };
        return TypedResults.Redirect(QueryHelpers.AddQueryString(target.AbsoluteUri, result));
    }

    static Results<Ok<Authorization>, ProblemResult> Authorize(PayOrder order, PaymentLedger ledger, IOptions<SandboxOptions> options)
    {
        var mistakes = order.Validate();
        if (!options.Value.Switches && order is not { Fault: null, LifetimeMs: null }) mistakes["fault"] = ["Fault switches are disabled."];
        if (mistakes.Count > 0) return CommonProblems.Validation.ToResult(errors: mistakes);
        return TypedResults.Ok(new Authorization(ledger.Authorize(order).Id));
    }

    static ProblemResult? Refuse(PayOrder order, SandboxOptions options, IHostEnvironment environment, [NotNull] out Uri? target)
    {
        var mistakes = order.Validate();
        // An open redirect would send users to any site from an address that looks like ours.
        if (!Uri.TryCreate(order.ReturnUrl, UriKind.Absolute, out target) || target.Scheme is not ("http" or "https") || target.UserInfo.Length > 0
            || !(options.ReturnOrigins.Contains(target.GetLeftPart(UriPartial.Authority)) || (environment.IsDevelopment() && target.IsLoopback)))
        {
            mistakes["returnUrl"] = ["The return address is not allowed."];
        }
        target ??= new Uri("about:blank");
        return mistakes.Count > 0 ? CommonProblems.Validation.ToResult(errors: mistakes) : null;
    }
}
