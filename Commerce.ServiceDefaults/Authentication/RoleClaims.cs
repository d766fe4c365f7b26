using System.Security.Claims;
using System.Text.Json;

namespace Commerce.ServiceDefaults;

/// <summary>
/// Maps a claim of the token to our roles. Providers use different claims: <c>roles</c>, <c>realm_access.roles</c> (Keycloak),
/// <c>cognito:groups</c>, <c>scp</c>. Configuration section <c>Authentication:Roles</c>.
/// </summary>
sealed class RoleClaims
{
    public const string Section = "Authentication:Roles";

    /// <summary>The claim for our own roles. A claim of this type in the token is removed.</summary>
    public const string Type = "urn:commerce:role";

    /// <summary>The value for MEMBER that makes every user with a valid token a member.</summary>
    const string Anybody = "*";

    readonly string _claim;
    readonly bool _listInText;
    readonly HashSet<string> _member, _admin;

    /// <summary>Reads the section.</summary>
    /// <exception cref="InvalidOperationException">The section would make nobody or everybody an administrator.</exception>
    public RoleClaims(IConfiguration configuration)
    {
        var section = configuration.GetSection(Section);
        _claim = section["Claim"] ?? "role";
        _member = Read(section.GetSection("Member"), Roles.Member);
        _admin = Read(section.GetSection("Admin"), Roles.Admin);
        if (string.IsNullOrWhiteSpace(_claim)) throw new InvalidOperationException($"{Section}:Claim is empty. Name the claim that holds the roles.");
        if (_admin.Contains(Anybody)) throw new InvalidOperationException($"{Section}:Admin cannot be {Anybody}: everybody would be an administrator.");
        // Scopes are one string, separated by spaces (RFC 8693). In other claims a space is part of the name.
        _listInText = _claim is "scp" or "scope";
    }

    /// <summary>Creates a claim with one of our roles, for tokens that we sign.</summary>
    public Claim ToClaim(string role) => new(_claim, role == Roles.Admin ? _admin.First() : _member.FirstOrDefault(v => v != Anybody) ?? Roles.Member);

    /// <summary>Adds our roles to the identity of a token.</summary>
    public void Apply(ClaimsIdentity identity)
    {
        var values = identity.Claims.SelectMany(ValuesOf).ToList();
        foreach (var forged in identity.FindAll(Type).ToList()) identity.RemoveClaim(forged);
        if (values.Exists(_admin.Contains)) identity.AddClaim(new(Type, Roles.Admin));
        if (_member.Contains(Anybody) || values.Exists(_member.Contains)) identity.AddClaim(new(Type, Roles.Member));
    }

    IEnumerable<string> ValuesOf(Claim claim)
    {
        if (claim.Type == _claim) return claim.Value is ['[' or '{', ..] ? WithJson(claim, ValuesOf) : ValuesOf(claim.Value);
        return _claim.Length > claim.Type.Length && _claim[claim.Type.Length] == '.' && _claim.StartsWith(claim.Type, StringComparison.Ordinal)
            ? WithJson(claim, json => Find(json, _claim[(claim.Type.Length + 1)..]))
            : [];
    }

    string[] ValuesOf(string text) => _listInText ? text.Split(' ', StringSplitOptions.RemoveEmptyEntries) : [text];

    IEnumerable<string> ValuesOf(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.String => ValuesOf(json.GetString()!),
        JsonValueKind.Array => json.EnumerateArray().Where(e => e.ValueKind == JsonValueKind.String).Select(e => e.GetString()!),
        _ => [],
    };

    /// <summary>Finds the values at the end of a path such as <c>my.client.roles</c>. Names in the path may contain dots.</summary>
    IEnumerable<string> Find(JsonElement json, string path)
    {
        if (json.ValueKind != JsonValueKind.Object) yield break;
        foreach (var member in json.EnumerateObject())
        {
            var found = member.NameEquals(path) ? ValuesOf(member.Value)
                : path.Length > member.Name.Length && path[member.Name.Length] == '.' && path.StartsWith(member.Name, StringComparison.Ordinal)
                    ? Find(member.Value, path[(member.Name.Length + 1)..])
                    : [];
            foreach (var value in found) yield return value;
        }
    }

    static IReadOnlyList<string> WithJson(Claim claim, Func<JsonElement, IEnumerable<string>> read)
    {
        try
        {
            using var json = JsonDocument.Parse(claim.Value);
            return [.. read(json.RootElement)];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The text looks like JSON but is not, or has half of a surrogate pair. It contains none of our roles.
            return [];
        }
    }

    static HashSet<string> Read(IConfigurationSection section, string standard)
    {
        HashSet<string> values = section.Value is { Length: > 0 } one ? [one] : [.. section.GetChildren().Select(c => c.Value).OfType<string>().Where(v => v.Length > 0)];
        return values.Count > 0 ? values : [standard];
    }
}
