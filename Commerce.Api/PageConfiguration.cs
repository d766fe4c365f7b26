using System.ComponentModel;
using Commerce.Core.Payments;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.Extensions.Options;

namespace Commerce.Api;

/// <summary>The public configuration of the shop for its page.</summary>
sealed partial class PageConfiguration(
    IOptionsMonitor<JwtBearerOptions> bearer, IOptions<SignInOptions> signIn, IOptions<PaymentGatewayOptions> gateway, IConfiguration configuration,
    IHostEnvironment environment, ILogger<PageConfiguration> logger)
{
    /// <summary>
    /// Reads the configuration. The addresses come from the OIDC provider. A shop without a provider has sign-in by name, only in
    /// Development.
    /// </summary>
    /// <exception cref="ProblemException">The provider does not answer.</exception>
    public async Task<ShopConfiguration> ReadAsync(CancellationToken cancellationToken)
    {
        var (development, pays) = (environment.IsDevelopment(), gateway.Value);
        var provider = await ProviderAsync(cancellationToken);
        return new(
            provider, provider is null && development, pays.Sandbox && !development,
            pays.Sandbox || development ? null : new(pays.ClientId, pays.ChainId, pays.Mode));
    }

    async Task<SignInProvider?> ProviderAsync(CancellationToken cancellationToken)
    {
        var options = bearer.Get(JwtBearerDefaults.AuthenticationScheme);
        if (configuration["Authentication:Schemes:Bearer:Authority"] is not { Length: > 0 } || signIn.Value.ClientId is not { Length: > 0 } clientId) return null;
        try
        {
            // The authentication handler caches this document, because it needs the keys.
            var known = await options.ConfigurationManager!.GetConfigurationAsync(cancellationToken);
            return new(known.AuthorizationEndpoint, known.TokenEndpoint, known.EndSessionEndpoint, clientId, signIn.Value.Scope, signIn.Value.Parameters);
        }
        catch (InvalidOperationException e)
        {
            LogNoProvider(logger, options.Authority, e.Message);
            throw new ProblemException(CommonProblems.DependencyUnavailable);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The sign-in provider {Authority} does not answer, nobody can sign in: {Reason}")]
    static partial void LogNoProvider(ILogger logger, string? authority, string reason);
}

/// <summary>The public part of the shop's configuration.</summary>
/// <param name="SignIn">The sign-in provider, or null.</param>
/// <param name="SignInByName">Whether users sign in with any name, which is possible in Development without a provider.</param>
/// <param name="Sandbox">Whether payments move no money although the environment is not Development.</param>
/// <param name="PayWindow">The parameters of NaverPay's window, or null if payments do not use NaverPay.</param>
sealed record ShopConfiguration(SignInProvider? SignIn, bool SignInByName, bool Sandbox, PayWindow? PayWindow);

/// <summary>An OIDC provider. The page is a public client and uses the authorization code with PKCE.</summary>
sealed record SignInProvider(
    string AuthorizationEndpoint, string TokenEndpoint, string? EndSessionEndpoint, string ClientId, string Scope,
    [property: Description("Extra parameters of the authorization request, as a query string.")] string Parameters);

/// <summary>The parameters of NaverPay's window.</summary>
sealed record PayWindow(string ClientId, string ChainId, string Mode);
