namespace Commerce.ServiceDefaults;

/// <summary>How strictly the JSON body of an endpoint is read. Added to the endpoint as metadata; without it <see cref="Tolerant"/> holds.</summary>
public sealed class BodyRule
{
    /// <summary>Members that the endpoint does not know are ignored; those with a default may be left out.</summary>
    public static readonly BodyRule Tolerant = new();

    /// <summary>A member that the endpoint does not know is refused: it is a misspelt one, or asks for something that would not happen.</summary>
    public static readonly BodyRule Strict = new() { RefusesUnknown = true };

    /// <summary>For a PUT, which replaces everything: every member must be there, and no other.</summary>
    public static readonly BodyRule Complete = new() { RefusesUnknown = true, NeedsAll = true };

    BodyRule()
    {
    }

    internal bool RefusesUnknown { get; private init; }

    internal bool NeedsAll { get; private init; }
}
