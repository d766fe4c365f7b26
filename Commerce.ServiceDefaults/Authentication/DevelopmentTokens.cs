using System.Security.Claims;
using Commerce.ServiceDefaults;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Microsoft.Extensions.Hosting;

/// <summary>Issues tokens to anyone, in Development only.</summary>
public static class DevelopmentTokens
{
    public const string Issuer = "commerce-development";
    public const string Audience = "commerce";

    static readonly TimeSpan Lifetime = TimeSpan.FromHours(8);

    /// <summary>
    /// Maps <c>POST /api/auth/token</c>: <c>{"user":"alice","role":"MEMBER"}</c> →
    /// <c>{"accessToken","tokenType":"Bearer","expiresIn"}</c>. The route exists only in Development without an OIDC provider.
    /// </summary>
    public static WebApplication MapDevelopmentTokens(this WebApplication app)
    {
        var key = app.Configuration["Authentication:Schemes:Bearer:SigningKeys:0:Value"];
        if (!app.Environment.IsDevelopment() || key is null)
            return app;
        var issuer = app.Configuration["Authentication:Schemes:Bearer:SigningKeys:0:Issuer"];
        var audience = app.Configuration["Authentication:Schemes:Bearer:ValidAudiences:0"];
        var credentials = new SigningCredentials(new SymmetricSecurityKey(Convert.FromBase64String(key)), SecurityAlgorithms.HmacSha256);
        var roles = new RoleClaims(app.Configuration);
        var handler = new JsonWebTokenHandler();
        app.MapPost("/api/auth/token", Results<Ok<TokenResponse>, ProblemResult> (TokenRequest request, TimeProvider time) =>
        {
            if (Faults(request) is { Count: > 0 } errors)
                return CommonProblems.Validation.ToResult(errors: errors);
            var now = time.GetUtcNow().UtcDateTime;
            var token = handler.CreateToken(new SecurityTokenDescriptor
            {
                Issuer = issuer,
                Audience = audience,
                IssuedAt = now,
                NotBefore = now,
                Expires = now + Lifetime,
                Subject = new ClaimsIdentity([new("sub", request.User), roles.ToClaim(request.Role)]),
                SigningCredentials = credentials,
            });
            return TypedResults.Ok(new TokenResponse(token, "Bearer", (int)Lifetime.TotalSeconds));
        }).WithName("CreateDevelopmentToken").WithSummary("Creates a token for any user, in Development only.").AllowAnonymous().WithTags("Authentication");
        return app;
    }

    static Dictionary<string, string[]> Faults(TokenRequest request)
    {
        var errors = new Dictionary<string, string[]>();
        if (UserId.OfSubject(request.User) is null)
            errors["user"] = [$"Must have 1 to {UserId.MaxSubjectLength} characters."];
        if (request.Role is not (Roles.Member or Roles.Admin))
            errors["role"] = [$"Must be {Roles.Member} or {Roles.Admin}."];
        return errors;
    }
}
