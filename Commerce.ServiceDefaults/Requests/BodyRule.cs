namespace Commerce.ServiceDefaults;

/// <summary>How strictly the JSON body of an endpoint is validated. Metadata of the endpoint; the default is <see cref="Tolerant"/>.</summary>
public sealed record BodyRule(bool RefusesUnknown, bool NeedsAll)
{
    /// <summary>Unknown members are ignored. Members with a default may be missing.</summary>
    public static readonly BodyRule Tolerant = new(RefusesUnknown: false, NeedsAll: false);

    /// <summary>Unknown members are rejected: they are misspelt, or request something that would not happen.</summary>
    public static readonly BodyRule Strict = new(RefusesUnknown: true, NeedsAll: false);

    /// <summary>For a PUT, which replaces everything: all members are required, and no others are allowed.</summary>
    public static readonly BodyRule Complete = new(RefusesUnknown: true, NeedsAll: true);
}
