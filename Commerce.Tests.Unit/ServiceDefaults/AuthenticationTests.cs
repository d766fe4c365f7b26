using System.Security.Claims;
using System.Security.Cryptography;
using System.Text.Json;
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

    [Theory, InlineData("/open"), InlineData("/member"), InlineData("/silent")]
    public async Task A_method_that_a_route_does_not_have_is_told_with_and_without_a_token(string path)
    {
        await using var api = await StartAsync("Development");

        await api.ExpectProblemAsync(405, "method-not-allowed", HttpMethod.Delete, path);
        await api.ExpectProblemAsync(405, "method-not-allowed", HttpMethod.Delete, path, token: await TokenAsync(api, "alice", "MEMBER"));
    }

    [Fact]
    public async Task A_refusal_for_want_of_a_token_says_how_to_come_back()
    {
        await using var api = await StartAsync("Development");

        var (_, _, headers) = await api.SendAsync(HttpMethod.Get, "/member");

        Assert.Equal("Bearer", Assert.Single(headers.WwwAuthenticate).Scheme);
    }

    static readonly string LongestAllowedSubject = new('s', 255);

    [Theory]
    [InlineData("", "MEMBER", "user")]
    [InlineData(null, "MEMBER", "user")]
    [InlineData("256 characters", "MEMBER", "user")]
    [InlineData("alice", "member", "role")]
    [InlineData("alice", null, "role")]
    public async Task A_token_is_made_only_for_a_proper_user_and_role(string? user, string? role, string field)
    {
        await using var api = await StartAsync("Development");
        if (user is "256 characters") user = LongestAllowedSubject + "s";

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

    [Theory]
    [InlineData("alice", "alice")]
    [InlineData("auth0|5f7c8ec7c33c6c004bbafe82", "auth0|5f7c8ec7c33c6c004bbafe82")]
    [InlineData("a b", null)]
    [InlineData(" a", null)]
    [InlineData("tenant/user+tag@example.com", null)]
    [InlineData("CN=Kim Cheolsu,OU=영업,O=회사", null)]
    [InlineData("앨리스", null)]
    [InlineData("a\nb", null)]
    [InlineData("longest", null)]
    // The subject looks like another user's id, but is not one.
    [InlineData("sha256:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", null)]
    public async Task A_subject_is_opaque_and_its_id_fits_everywhere(string subject, string? id)
    {
        await using var api = await StartAsync("Production", Production);
        if (subject is "longest") subject = LongestAllowedSubject;

        var (status, body, _) = await api.SendAsync(HttpMethod.Get, "/member", token: Token(subject: subject));

        Assert.Equal(200, status);
        var told = body.GetString()!.Split(' ')[0];
        Assert.Equal(id ?? UserId.OfSubject(subject), told);
        Assert.True(UserId.IsValid(told));
        Assert.NotEqual(id is null, told == subject);
    }

    [Fact]
    public void Two_subjects_never_share_an_id()
    {
        string[] subjects = ["a", "A", "a ", " a", "a\u0301", "\u00e1", "a/b", "a+b", LongestAllowedSubject, LongestAllowedSubject[1..], "sha256:x", UserId.OfSubject("a b")!, "a b"];

        Assert.Equal(subjects.Length, subjects.Select(UserId.OfSubject).Distinct(StringComparer.OrdinalIgnoreCase).Count() + 1);
        Assert.Equal(subjects.Length, subjects.Select(UserId.OfSubject).Distinct().Count());
        Assert.Equal(UserId.OfSubject("앨리스"), UserId.OfSubject("앨리스"));
        // The length is counted in characters, not in bytes.
        Assert.NotNull(UserId.OfSubject(string.Concat(Enumerable.Repeat("😀", 255))));
        Assert.Null(UserId.OfSubject(string.Concat(Enumerable.Repeat("😀", 256))));
        Assert.Null(UserId.OfSubject("\ud800"));
    }

    [Theory, InlineData(""), InlineData("256 characters"), InlineData(null)]
    public async Task A_subject_that_cannot_be_used_is_refused_with_the_reason(string? subject)
    {
        await using var api = await StartAsync("Production", Production);
        var claims = new Dictionary<string, object> { ["role"] = Roles.Admin };
        if (subject is not null) claims["sub"] = subject is "256 characters" ? LongestAllowedSubject + "s" : subject;

        var problem = await api.ExpectProblemAsync(403, "subject-not-usable", HttpMethod.Get, "/member", token: Token(claims));

        Assert.Contains("255", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        await api.ExpectProblemAsync(403, "subject-not-usable", HttpMethod.Get, "/admin", token: Token(claims));
    }

    public static TheoryData<string, Dictionary<string, string?>, string> Providers => new()
    {
        { "nothing configured", [], """{"role":"ADMIN"}""" },
        { "a list", new() { ["Claim"] = "roles", ["Admin:0"] = "shop-admin", ["Member:0"] = "shopper" }, """{"roles":["staff","shop-admin"]}""" },
        { "one value, not a list", new() { ["Claim"] = "roles", ["Admin"] = "shop-admin" }, """{"roles":"shop-admin"}""" },
        { "Keycloak's realm", new() { ["Claim"] = "realm_access.roles", ["Admin:0"] = "shop-admin" }, """{"realm_access":{"roles":["offline_access","shop-admin"]}}""" },
        { "Keycloak's client, with a dot", new() { ["Claim"] = "resource_access.my.shop.roles", ["Admin:0"] = "admin" }, """{"resource_access":{"my.shop":{"roles":["admin"]}}}""" },
        { "Cognito", new() { ["Claim"] = "cognito:groups", ["Admin:0"] = "Admins" }, """{"cognito:groups":["Admins"]}""" },
        { "Entra's scopes", new() { ["Claim"] = "scp", ["Admin:0"] = "shop.admin" }, """{"scp":"shop.read shop.admin"}""" },
        { "Okta's scopes", new() { ["Claim"] = "scp", ["Admin:0"] = "shop.admin" }, """{"scp":["shop.read","shop.admin"]}""" },
        { "OAuth's scope", new() { ["Claim"] = "scope", ["Admin:0"] = "shop.admin" }, """{"scope":"openid shop.admin"}""" },
        { "Auth0's address", new() { ["Claim"] = "https://shop.example/roles", ["Admin:0"] = "Store Admin" }, """{"https://shop.example/roles":["Store Admin"]}""" },
        { "several values", new() { ["Claim"] = "roles", ["Admin:0"] = "root", ["Admin:1"] = "admin" }, """{"roles":["admin"]}""" },
    };

    [Theory, MemberData(nameof(Providers), DisableDiscoveryEnumeration = true)]
    public async Task The_roles_are_where_the_provider_puts_them(string why, Dictionary<string, string?> roles, string claims)
    {
        await using var api = await StartAsync("Production", WithRoles(roles));

        Assert.Equal("root True", (await api.SendAsync(HttpMethod.Get, "/admin", token: Token(Read(claims)))).Body.GetString());
        // Without the claim nobody has a role.
        await api.ExpectProblemAsync(403, "forbidden", HttpMethod.Get, "/member", token: Token(Read("{}")));
        Assert.NotEmpty(why);
    }

    public static TheoryData<Dictionary<string, string?>, string> Pretenders => new()
    {
        { [], """{"role":"admin"}""" },
        { [], """{"role":"not ADMIN"}""" },
        { [], """{"roles":"ADMIN"}""" },
        { [], """{"urn:commerce:role":"ADMIN"}""" },
        { new() { ["Claim"] = "roles" }, """{"role":"ADMIN"}""" },
        { new() { ["Claim"] = "roles" }, """{"roles":"not ADMIN"}""" },
        { new() { ["Claim"] = "realm_access.roles" }, """{"realm_access":{"user":{"roles":["ADMIN"]}}}""" },
        { new() { ["Claim"] = "realm_access.roles" }, """{"realm_access":"{\"roles\":","realm_access_roles":"ADMIN"}""" },
        { new() { ["Claim"] = "roles", ["Admin:0"] = "shop-admin" }, """{"roles":["ADMIN"]}""" },
        { new() { ["Claim"] = "roles" }, """{"roles":"[\"\\ud800\"]"}""" },
        { new() { ["Member:0"] = "*" }, """{"role":"customer"}""" },
    };

    [Theory, MemberData(nameof(Pretenders), DisableDiscoveryEnumeration = true)]
    public async Task Nothing_else_makes_an_administrator(Dictionary<string, string?> roles, string claims)
    {
        await using var api = await StartAsync("Production", WithRoles(roles));

        await api.ExpectProblemAsync(403, "forbidden", HttpMethod.Get, "/admin", token: Token(Read(claims)));
    }

    [Fact]
    public async Task Whoever_has_a_token_is_a_member_where_that_is_configured()
    {
        await using var api = await StartAsync("Production", WithRoles(new() { ["Member:0"] = "*" }));

        Assert.Equal("root False", (await api.SendAsync(HttpMethod.Get, "/member", token: Token(Read("{}")))).Body.GetString());
    }

    [Theory, InlineData("Claim", " "), InlineData("Admin:0", "*")]
    public void Roles_that_would_admit_the_wrong_ones_do_not_start(string name, string value)
    {
        var error = Assert.Throws<InvalidOperationException>(() => TestApi.Build(
            map: null, builder => builder.AddCommerceAuthentication(), "Production", WithRoles(new() { [name] = value }), new RecordedLogs()));

        Assert.Contains("Authentication:Roles", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_development_token_has_its_role_where_it_is_looked_for()
    {
        await using var api = await StartAsync("Development", new()
        {
            ["Authentication:Roles:Claim"] = "realm_access.roles", ["Authentication:Roles:Admin:0"] = "shop-admin", ["Authentication:Roles:Member:0"] = "*",
        });

        Assert.Equal("root True", (await api.SendAsync(HttpMethod.Get, "/admin", token: await TokenAsync(api, "root", "ADMIN"))).Body.GetString());
        Assert.Equal("alice False", (await api.SendAsync(HttpMethod.Get, "/member", token: await TokenAsync(api, "alice", "MEMBER"))).Body.GetString());
    }

    static Dictionary<string, string?> WithRoles(Dictionary<string, string?> roles)
    {
        var settings = new Dictionary<string, string?>(Production);
        foreach (var (name, value) in roles) settings["Authentication:Roles:" + name] = value;
        return settings;
    }

    static Dictionary<string, object> Read(string claims)
    {
        var read = JsonSerializer.Deserialize<Dictionary<string, object>>(claims)!;
        read["sub"] = "root";
        return read;
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

    static string Token(Dictionary<string, object> claims)
    {
        var descriptor = Descriptor("shop", "commerce", null, TimeSpan.Zero);
        descriptor.Claims = claims;
        descriptor.SigningCredentials = new SigningCredentials(new SymmetricSecurityKey(Key), SecurityAlgorithms.HmacSha256);
        return new JsonWebTokenHandler().CreateToken(descriptor);
    }

    static SecurityTokenDescriptor Descriptor(string issuer, string audience, string? subject, TimeSpan age)
    {
        var issued = TimeProvider.System.GetUtcNow().UtcDateTime - age;
        return new SecurityTokenDescriptor
        {
            Issuer = issuer,
            Audience = audience,
            IssuedAt = issued,
            NotBefore = issued,
            Expires = issued + TimeSpan.FromHours(1),
            Subject = subject is null ? null : new ClaimsIdentity([new("sub", subject), new("role", Roles.Member)]),
        };
    }
}
