namespace Commerce.ServiceDefaults;

/// <summary>
/// How strictly the JSON body of an endpoint is validated. It is metadata of the endpoint. The default is <see cref="Tolerant"/>.
/// </summary>
public sealed record BodyRule(bool RefusesUnknown, bool NeedsAll)
{
    /// <summary>Unknown members are ignored. Members with a default may be missing.</summary>
    public static readonly BodyRule Tolerant = new(RefusesUnknown: false, NeedsAll: false);

    /// <summary>Unknown members are rejected. They are misspelt, or request something that would not happen.</summary>
    public static readonly BodyRule Strict = new(RefusesUnknown: true, NeedsAll: false);

    /// <summary>All members are required, and no others are allowed. This is for a PUT, which replaces everything.</summary>
    public static readonly BodyRule Complete = new(RefusesUnknown: true, NeedsAll: true);
}
