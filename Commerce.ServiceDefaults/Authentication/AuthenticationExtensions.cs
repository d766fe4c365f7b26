using System.Security.Claims;
using System.Security.Cryptography;
using Commerce.ServiceDefaults;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Authorization;

namespace Microsoft.Extensions.Hosting;

/// <summary>Authentication and authorization.</summary>
public static class AuthenticationExtensions
{
    const string Section = "Authentication:Schemes:Bearer";

    /// <summary>
    /// Adds JWT bearer authentication from the section <c>Authentication:Schemes:Bearer</c>, and the policies of <see cref="Policies"/>.
    /// The section has <c>ValidIssuer</c>, <c>ValidAudiences</c> and either <c>Authority</c> (an OIDC provider) or <c>SigningKeys:n</c>
    /// (<c>Issuer</c>, base64 <c>Value</c>). <c>Authentication:Roles</c> maps the provider's roles: <c>Claim</c> (a name such as
    /// <c>roles</c>, or a path such as <c>realm_access.roles</c>) and its values <c>Member</c> (<c>*</c>: every user) and <c>Admin</c>.
    /// Every endpoint requires a token unless it allows anonymous callers. In Development the section may be empty. The process then
    /// signs and accepts its own tokens.
    /// </summary>
    /// <exception cref="InvalidOperationException">The section is not sufficient to validate tokens.</exception>
    public static TBuilder AddCommerceAuthentication<TBuilder>(this TBuilder builder) where TBuilder : IHostApplicationBuilder
    {
        if (builder.Environment.IsDevelopment())
            AddDevelopmentDefaults(builder.Configuration);
        Check(builder.Configuration.GetSection(Section), builder.Environment);
        var roles = new RoleClaims(builder.Configuration);

        builder.Services.AddOptions<SignInOptions>().BindConfiguration(SignInOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddAuthentication().AddJwtBearer(bearer =>
        {
            bearer.MapInboundClaims = false;
            bearer.SaveToken = false;
        });
        // This runs after the section was read, because reading it replaces these parameters.
        builder.Services.PostConfigure<JwtBearerOptions>(JwtBearerDefaults.AuthenticationScheme, bearer =>
        {
            // The framework's sequence would read the configuration again for every request.
            if (bearer.TokenValidationParameters.IssuerSigningKeys is { } keys) bearer.TokenValidationParameters.IssuerSigningKeys = [.. keys];
            bearer.TokenValidationParameters.NameClaimType = "sub";
            bearer.TokenValidationParameters.RoleClaimType = RoleClaims.Type;
            (bearer.Events ??= new()).OnTokenValidated = context =>
            {
                if (context.Principal?.Identity is ClaimsIdentity identity) roles.Apply(identity);
                return Task.CompletedTask;
            };
            bearer.TokenValidationParameters.ValidateIssuer = true;
            bearer.TokenValidationParameters.ValidateAudience = true;
        });
        var subject = new UsableSubjectRequirement();
        builder.Services.AddSingleton<IAuthorizationMiddlewareResultHandler, SubjectAwareResultHandler>();
        builder.Services.AddAuthorizationBuilder()
            .AddPolicy(Policies.Member, policy => policy.RequireRole(Roles.Member, Roles.Admin).AddRequirements(subject))
            .AddPolicy(Policies.Admin, policy => policy.RequireRole(Roles.Admin).AddRequirements(subject))
            // A request without an endpoint is allowed, because there is nothing to protect. Everyone gets 404, or 405 if the route has
            // other methods.
            .SetFallbackPolicy(new AuthorizationPolicyBuilder().RequireAssertion(context =>
                context.User.Identity is { IsAuthenticated: true } || (context.Resource is HttpContext http && http.GetEndpoint() is not RouteEndpoint)).Build());
        builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, DevelopmentTokenJson.Default));
        return builder;
    }

    static void AddDevelopmentDefaults(IConfigurationManager configuration)
    {
        var section = configuration.GetSection(Section);
        if (section["Authority"] is { Length: > 0 })
            return;
        var defaults = new Dictionary<string, string?>
        {
            [$"{Section}:ValidIssuer"] = section["ValidIssuer"] ?? DevelopmentTokens.Issuer,
            [$"{Section}:SigningKeys:0:Issuer"] = section["SigningKeys:0:Issuer"] ?? DevelopmentTokens.Issuer,
            [$"{Section}:SigningKeys:0:Value"] = section["SigningKeys:0:Value"] ?? Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)),
        };
        if (!HasAudience(section))
            defaults[$"{Section}:ValidAudiences:0"] = DevelopmentTokens.Audience;
        configuration.AddInMemoryCollection(defaults);
    }

    static void Check(IConfigurationSection section, IHostEnvironment environment)
    {
        var keys = section.GetSection("SigningKeys").GetChildren().ToArray();
        if (section["Authority"] is not { Length: > 0 } && !keys.Any(key => key["Value"] is { Length: > 0 }))
            throw Refusal($"Give {Section}:Authority (an OIDC provider) or {Section}:SigningKeys");
        if (!HasAudience(section))
            throw Refusal($"Give {Section}:ValidAudiences, or tokens that the issuer made for others are accepted");
        if (!environment.IsDevelopment() && keys.Any(key => key["Issuer"] == DevelopmentTokens.Issuer))
            throw Refusal($"The key of the issuer {DevelopmentTokens.Issuer} is for Development. Remove it from {Section}:SigningKeys");

        InvalidOperationException Refusal(string message) => new($"{message}. (Environment: {environment.EnvironmentName}.)");
    }

    static bool HasAudience(IConfigurationSection section) =>
        section["ValidAudience"] is { Length: > 0 } || section.GetSection("ValidAudiences").GetChildren().Any(audience => audience.Value is { Length: > 0 });
}
