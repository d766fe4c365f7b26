using System.Collections.Concurrent;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Commerce.Tests.Page;

/// <summary>
/// An OIDC provider that signs in everyone as the same user. It implements a strict authorization code flow with PKCE for one public
/// client.
/// </summary>
sealed class SignInProvider : IAsyncDisposable
{
    public const string ClientId = "page";
    public const string Audience = "commerce";

    readonly WebApplication _app;
    readonly RsaSecurityKey _key = new(RSA.Create(2048)) { KeyId = "1" };
    readonly ConcurrentDictionary<string, (string Challenge, string RedirectUri)> _codes = new();
    readonly ConcurrentQueue<string> _endedSessions = new();

    SignInProvider(WebApplication app) => _app = app;

    public Uri Url => new(_app.Urls.Single());

    public string Subject { get; init; } = "";

    /// <summary>The addresses to which browsers returned after sign-out.</summary>
    public IReadOnlyCollection<string> EndedSessions => _endedSessions;

    /// <summary>Refuses every sign-in.</summary>
    public bool Refuses { get; set; }

    public static async Task<SignInProvider> StartAsync(string subject)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var provider = new SignInProvider(builder.Build()) { Subject = subject };
        provider.Map();
        await provider._app.StartAsync(TestContext.Current.CancellationToken);
        return provider;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _key.Rsa.Dispose();
    }

    void Map()
    {
        _app.MapGet("/.well-known/openid-configuration", () => Results.Json(new Dictionary<string, object>
        {
            ["issuer"] = Url.ToString(),
            ["authorization_endpoint"] = $"{Url}authorize",
            ["token_endpoint"] = $"{Url}token",
            ["jwks_uri"] = $"{Url}keys",
            ["end_session_endpoint"] = $"{Url}end",
        }));
        _app.MapGet("/keys", () =>
        {
            var key = JsonWebKeyConverter.ConvertFromRSASecurityKey(new RsaSecurityKey(_key.Rsa.ExportParameters(false)) { KeyId = _key.KeyId });
            return Results.Json(new { keys = new[] { new { kty = key.Kty, n = key.N, e = key.E, kid = key.Kid, use = "sig", alg = "RS256" } } });
        });
        _app.MapGet("/authorize", (HttpRequest request) =>
        {
            var query = request.Query.ToDictionary(q => q.Key, q => q.Value.ToString());
            if (query["client_id"] != ClientId || query["response_type"] != "code" || query["code_challenge_method"] != "S256" || query["state"].Length < 16) return Results.BadRequest();
            if (Refuses) return Results.Redirect(QueryHelpers.AddQueryString(query["redirect_uri"], new Dictionary<string, string?> { ["error"] = "access_denied", ["state"] = query["state"] }));
            var code = Guid.NewGuid().ToString("N");
            _codes[code] = (query["code_challenge"], query["redirect_uri"]);
            return Results.Redirect(QueryHelpers.AddQueryString(query["redirect_uri"], new Dictionary<string, string?> { ["code"] = code, ["state"] = query["state"] }));
        });
        _app.MapPost("/token", async (HttpContext context) =>
        {
            // Browsers call it from another origin.
            context.Response.Headers.AccessControlAllowOrigin = "*";
            var form = await context.Request.ReadFormAsync();
            return !_codes.TryRemove(form["code"].ToString(), out var begun) || begun.RedirectUri != form["redirect_uri"] || form["client_id"] != ClientId
                || begun.Challenge != WebEncoders.Base64UrlEncode(SHA256.HashData(Encoding.ASCII.GetBytes(form["code_verifier"].ToString())))
                ? Results.BadRequest(new { error = "invalid_grant" })
                : Results.Json(new { access_token = Sign(Audience, []), id_token = Sign(ClientId, [new("preferred_username", "Alice Kim")]), token_type = "Bearer", expires_in = 300 });
        });
        _app.MapGet("/end", (string post_logout_redirect_uri, string client_id) =>
        {
            _endedSessions.Enqueue(client_id);
            return Results.Redirect(post_logout_redirect_uri);
        });
    }

    string Sign(string audience, Claim[] claims) => new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
    {
        Issuer = Url.ToString(),
        Audience = audience,
        Expires = TimeProvider.System.GetUtcNow().UtcDateTime.AddMinutes(5),
        Subject = new ClaimsIdentity([new("sub", Subject), .. claims]),
        SigningCredentials = new SigningCredentials(_key, SecurityAlgorithms.RsaSha256),
    });
}
