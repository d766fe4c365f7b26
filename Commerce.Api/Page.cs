using Microsoft.AspNetCore.Http.HttpResults;

namespace Commerce.Api;

/// <summary>The pages in <c>wwwroot</c>: the shopper's, and the operator's at <c>/admin</c>.</summary>
static class Page
{
    /// <summary>Allows no foreign content, no inline content and no framing.</summary>
    const string Strict =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    /// <summary>The policy of the page that opens NaverPay's window. It allows NaverPay's script.</summary>
    const string NaverPay =
        "default-src 'none'; script-src 'self' https://nsp.pay.naver.com https://*.pay.naver.com; style-src 'self' 'unsafe-inline'; img-src 'self' https://*.naver.com; "
        + "connect-src 'self' https://*.naver.com; frame-src https://*.naver.com; form-action https://*.naver.com; base-uri 'none'; frame-ancestors 'none'";

    const string PolicyKey = "content-security-policy";

    public static WebApplicationBuilder AddPage(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<PageConfiguration>();
        return builder;
    }

    /// <summary>
    /// Serves <c>/</c>, <c>/admin</c> and their files. Browsers revalidate the files each time and download them only after a change.
    /// </summary>
    public static void UsePage(this WebApplication app)
    {
        var configuration = app.Services.GetRequiredService<PageConfiguration>();
        // Most requests are for the Api, which has no files.
        app.UseWhen(context => !context.Request.Path.StartsWithSegments("/api"), files =>
        {
            files.Use(async (context, next) =>
            {
                if (context.Request.Path.Value is "/admin" or "/admin/") context.Request.Path = "/admin.html";
                context.Items[PolicyKey] = context.Request.Path.Value switch
                {
                    "/" or "/index.html" => await PolicyAsync(configuration, context.RequestAborted),
                    "/naverpay.html" => NaverPay,
                    _ => Strict,
                };
                await next(context);
            });
            files.UseDefaultFiles();
            files.UseStaticFiles(new StaticFileOptions
            {
                OnPrepareResponse = file =>
                {
                    var headers = file.Context.Response.Headers;
                    headers.ContentSecurityPolicy = (string?)file.Context.Items[PolicyKey];
                    headers.XContentTypeOptions = "nosniff";
                    headers["Referrer-Policy"] = "no-referrer";
                    headers.CacheControl = "no-cache";
                },
            });
        });
    }

    public static void MapPage(this IEndpointRouteBuilder app) => app.MapGet("/api/configuration", ReadAsync).AllowAnonymous().WithTags("Page").WithName("GetConfiguration")
        .WithSummary("Returns the public configuration of the shop for its page.");

    static async Task<Ok<ShopConfiguration>> ReadAsync(PageConfiguration configuration, CancellationToken cancellationToken) =>
        TypedResults.Ok(await configuration.ReadAsync(cancellationToken));

    /// <summary>
    /// Returns the policy of the shop's page. It allows connections to the sign-in provider, because the page exchanges the provider's
    /// code for a token.
    /// </summary>
    static async Task<string> PolicyAsync(PageConfiguration configuration, CancellationToken cancellationToken)
    {
        try
        {
            var provider = (await configuration.ReadAsync(cancellationToken)).SignIn;
            return provider is null ? Strict : Strict.Replace("connect-src 'self'", $"connect-src 'self' {new Uri(provider.TokenEndpoint).GetLeftPart(UriPartial.Authority)}", StringComparison.Ordinal);
        }
        catch (ProblemException)
        {
            // Nobody can sign in now, but the shop can be viewed.
            return Strict;
        }
    }
}
