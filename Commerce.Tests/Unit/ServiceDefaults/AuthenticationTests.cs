using System.Security.Claims;
using System.Security.Cryptography;
using Commerce.ServiceDefaults;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Hosting;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Commerce.Tests.Unit.ServiceDefaults;

public sealed class AuthenticationTests
{
    const string Section = "Authentication:Schemes:Bearer";

    static readonly byte[] Key = RandomNumberGenerator.GetBytes(32);

    static readonly Dictionary<string, string?> Production = new()
    {
        [$"{Section}:ValidIssuer"] = "shop",
        [$"{Section}:ValidAudiences:0"] = "commerce",
        [$"{Section}:SigningKeys:0:Issuer"] = "shop",
        [$"{Section}:SigningKeys:0:Value"] = Convert.ToBase64String(Key),
    };

    [Fact]
    public async Task A_development_token_opens_what_its_role_may()
    {
        await using var api = await StartAsync("Development");
        var member = await TokenAsync(api, "alice", "MEMBER");
        var admin = await TokenAsync(api, "root", "ADMIN");

        Assert.Equal("alice False", (await api.SendAsync(HttpMethod.Get, "/member", token: member)).Body.GetString());
        Assert.Equal("root True", (await api.SendAsync(HttpMethod.Get, "/member", token: admin)).Body.GetString());
        Assert.Equal("root True", (await api.SendAsync(HttpMethod.Get, "/admin", token: admin)).Body.GetString());
        await api.ExpectProblemAsync(403, "forbidden", HttpMethod.Get, "/admin", token: member);
        await api.ExpectProblemAsync(401, "unauthorized", HttpMethod.Get, "/member");
    }

    [Fact]
    public async Task An_endpoint_that_says_nothing_asks_for_a_token()
    {
        await using var api = await StartAsync("Development");

        await api.ExpectProblemAsync(401, "unauthorized", HttpMethod.Get, "/silent");
        Assert.Equal(200, (await api.SendAsync(HttpMethod.Get, "/silent", token: await TokenAsync(api, "alice", "MEMBER"))).Status);
        Assert.Equal("nobody", (await api.SendAsync(HttpMethod.Get, "/open")).Body.GetString());
        await api.ExpectProblemAsync(404, "not-found", HttpMethod.Get, "/nothing");
    }

    [Fact]
    public async Task A_refusal_for_want_of_a_token_says_how_to_come_back()
    {
        await using var api = await StartAsync("Development");

        var (_, _, headers) = await api.SendAsync(HttpMethod.Get, "/member");

        Assert.Equal("Bearer", Assert.Single(headers.WwwAuthenticate).Scheme);
    }

    [Theory]
    [InlineData("", "MEMBER", "user")]
    [InlineData("a b", "MEMBER", "user")]
    [InlineData("앨리스", "MEMBER", "user")]
    [InlineData(null, "MEMBER", "user")]
    [InlineData("12345678901234567890123456789012345678901234567890123456789012345", "MEMBER", "user")]
    [InlineData("alice", "member", "role")]
    [InlineData("alice", null, "role")]
    public async Task A_token_is_made_only_for_a_proper_user_and_role(string? user, string? role, string field)
    {
        await using var api = await StartAsync("Development");

        var problem = await api.ExpectProblemAsync(400, "validation", HttpMethod.Post, "/api/auth/token", JsonContent.Create(new { user, role }));

        Assert.True(problem.GetProperty("errors").TryGetProperty(field, out _));
    }

    [Theory, InlineData("Production"), InlineData("Staging")]
    public async Task The_token_endpoint_does_not_exist_in_production(string environment)
    {
        await using var api = await StartAsync(environment, Production);

        await api.ExpectProblemAsync(404, "not-found", HttpMethod.Post, "/api/auth/token", JsonContent.Create(new { user = "alice", role = "MEMBER" }));
    }

    [Fact]
    public async Task A_token_of_the_configured_issuer_is_accepted_in_production()
    {
        await using var api = await StartAsync("Production", Production);

        Assert.Equal(200, (await api.SendAsync(HttpMethod.Get, "/member", token: Token())).Status);
    }

    public static TheoryData<string, string> BadTokens => new()
    {
        { "wrong key", Token(key: RandomNumberGenerator.GetBytes(32)) },
        { "wrong issuer", Token(issuer: "someone") },
        { "wrong audience", Token(audience: "someone") },
        { "expired", Token(age: TimeSpan.FromHours(2)) },
        { "unsigned", new JsonWebTokenHandler().CreateToken(Descriptor("shop", "commerce", "alice", TimeSpan.Zero)) },
        { "nonsense", "a.b.c" },
    };

    [Theory, MemberData(nameof(BadTokens))]
    public async Task A_bad_token_is_no_token(string why, string token)
    {
        await using var api = await StartAsync("Production", Production);

        await api.ExpectProblemAsync(401, "unauthorized", HttpMethod.Get, "/member", token: token);
        Assert.NotEmpty(why);
    }

    [Theory, InlineData("a b"), InlineData("a/b"), InlineData("{x}")]
    public async Task A_subject_that_cannot_be_an_id_may_do_nothing(string subject)
    {
        await using var api = await StartAsync("Production", Production);

        await api.ExpectProblemAsync(403, "forbidden", HttpMethod.Get, "/member", token: Token(subject: subject));
    }

    public static TheoryData<string, Dictionary<string, string?>> Dangers => new()
    {
        { "SigningKeys", new() { [$"{Section}:ValidAudiences:0"] = "commerce" } },
        { "ValidAudiences", new() { [$"{Section}:Authority"] = "https://id.example" } },
        {
            "commerce-development",
            new(Production) { [$"{Section}:SigningKeys:0:Issuer"] = "commerce-development", [$"{Section}:ValidIssuer"] = "commerce-development" }
        },
    };

    [Theory, MemberData(nameof(Dangers), DisableDiscoveryEnumeration = true)]
    public void A_production_without_proper_keys_does_not_start(string word, Dictionary<string, string?> settings)
    {
        var error = Assert.Throws<InvalidOperationException>(() => TestApi.Build(
            map: null, builder => builder.AddCommerceAuthentication(), "Production", settings, new RecordedLogs()));

        Assert.Contains(word, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Production[$"{Section}:SigningKeys:0:Value"]!, error.Message, StringComparison.Ordinal);
    }

    static Task<TestApi> StartAsync(string environment, Dictionary<string, string?>? settings = null) => TestApi.StartAsync(
        app =>
        {
            app.MapGet("/member", (CurrentUser user) => TypedJson($"{user.Id} {user.IsAdmin}")).RequireAuthorization(Policies.Member);
            app.MapGet("/admin", (CurrentUser user) => TypedJson($"{user.Id} {user.IsAdmin}")).RequireAuthorization(Policies.Admin);
            app.MapGet("/silent", () => TypedJson("seen"));
            app.MapGet("/open", (CurrentUser? user) => TypedJson(user?.Id ?? "nobody")).AllowAnonymous();
            app.MapDevelopmentTokens();
        },
        builder => builder.AddCommerceAuthentication(),
        environment,
        settings);

    static Microsoft.AspNetCore.Http.HttpResults.JsonHttpResult<string> TypedJson(string text) => Microsoft.AspNetCore.Http.TypedResults.Json(text);

    static async Task<string> TokenAsync(TestApi api, string user, string role)
    {
        var (status, body, _) = await api.SendAsync(HttpMethod.Post, "/api/auth/token", JsonContent.Create(new { user, role }));
        Assert.Equal(200, status);
        Assert.Equal("Bearer", body.GetProperty("tokenType").GetString());
        Assert.True(body.GetProperty("expiresIn").GetInt32() > 0);
        return body.GetProperty("accessToken").GetString()!;
    }

    static string Token(
        byte[]? key = null, string issuer = "shop", string audience = "commerce", string subject = "alice", TimeSpan age = default)
    {
        var descriptor = Descriptor(issuer, audience, subject, age);
        descriptor.SigningCredentials = new SigningCredentials(new SymmetricSecurityKey(key ?? Key), SecurityAlgorithms.HmacSha256);
        return new JsonWebTokenHandler().CreateToken(descriptor);
    }

    static SecurityTokenDescriptor Descriptor(string issuer, string audience, string subject, TimeSpan age)
    {
        var issued = TimeProvider.System.GetUtcNow().UtcDateTime - age;
        return new SecurityTokenDescriptor
        {
            Issuer = issuer,
            Audience = audience,
            IssuedAt = issued,
            NotBefore = issued,
            Expires = issued + TimeSpan.FromHours(1),
            Subject = new ClaimsIdentity([new("sub", subject), new("role", Roles.Member)]),
        };
    }
}
