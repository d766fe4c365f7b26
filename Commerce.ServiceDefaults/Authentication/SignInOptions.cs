using System.ComponentModel.DataAnnotations;

namespace Commerce.ServiceDefaults;

/// <summary>
/// How shoppers sign in with the OIDC provider of <c>Authentication:Schemes:Bearer:Authority</c>. Configuration section <c>SignIn</c>.
/// </summary>
public sealed class SignInOptions
{
    public const string Section = "SignIn";

    /// <summary>The page's id at the provider: a public client (no secret) with authorization code and PKCE. The page cannot sign in without.</summary>
    public string ClientId { get; set; } = "";

    /// <summary>What the page asks for. Default <c>openid profile</c>; some providers want a scope of their own to give a token for this shop.</summary>
    [Required]
    public string Scope { get; set; } = "openid profile";

    /// <summary>More parameters of the authorization request, as a query, such as <c>audience=https://shop.example</c>. Default none.</summary>
    public string Parameters { get; set; } = "";
}
