using System.ComponentModel.DataAnnotations;

namespace Commerce.ServiceDefaults;

/// <summary>
/// The sign-in of shoppers with the provider in <c>Authentication:Schemes:Bearer:Authority</c>. Configuration section <c>SignIn</c>.
/// </summary>
public sealed class SignInOptions
{
    public const string Section = "SignIn";

    /// <summary>
    /// The client id of the page at the provider. The page is a public client without a secret and uses the authorization code with PKCE.
    /// Without a client id the page cannot sign in.
    /// </summary>
    public string ClientId { get; set; } = "";

    /// <summary>
    /// The requested scopes. Default <c>openid profile</c>. Some providers require a scope of the shop to issue its token.
    /// </summary>
    [Required]
    public string Scope { get; set; } = "openid profile";

    /// <summary>
    /// Extra parameters of the authorization request, as a query string, such as <c>audience=https://shop.example</c>. Default none.
    /// </summary>
    public string Parameters { get; set; } = "";
}
