using System.Security.Cryptography;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>A value from outside, or a default.</summary>
public class ParameterResource(string name, Func<ParameterDefault?, string> callback, bool secret = false)
    : Resource(name), IExpressionValue, IResourceWithoutLifetime
{
    readonly Lock _gate = new();
    string? _value;

    public ParameterDefault? Default { get; set; }
    public bool Secret { get; } = secret;
    public bool IsConnectionString { get; set; }
    public string? Description { get; set; }

    public string ValueExpression => $"{{{Name}.value}}";

    /// <exception cref="MissingParameterValueException">There is neither a value nor a default.</exception>
    public ValueTask<string?> GetValueAsync(CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            return new(_value ??= callback(Default));
        }
    }
}

public abstract class ParameterDefault
{
    public abstract string GetDefaultValue();
}

/// <summary>Random text.</summary>
public sealed class GenerateParameterDefault : ParameterDefault
{
    public int MinLength { get; set; } = 22;
    public bool Lower { get; set; } = true;
    public bool Upper { get; set; } = true;
    public bool Numeric { get; set; } = true;
    public bool Special { get; set; } = true;
    public int MinLower { get; set; }
    public int MinUpper { get; set; }
    public int MinNumeric { get; set; }
    public int MinSpecial { get; set; }

    public override string GetDefaultValue()
    {
        // Look-alikes are left out, and what needs quoting in a connection string.
        (bool Use, int Minimum, string Characters)[] kinds =
        [
            (Lower, MinLower, "abcdefghjkmnpqrstuvwxyz"),
            (Upper, MinUpper, "ABCDEFGHJKMNPQRSTUVWXYZ"),
            (Numeric, MinNumeric, "0123456789"),
            (Special, MinSpecial, "-_.{}~()*+!"),
        ];
        var all = string.Concat(kinds.Where(k => k.Use).Select(k => k.Characters));
        var text = string.Concat(kinds.Where(k => k.Use).Select(k => RandomNumberGenerator.GetString(k.Characters, k.Minimum)));
        var characters = (text + RandomNumberGenerator.GetString(all, Math.Max(0, MinLength - text.Length))).ToCharArray();
        RandomNumberGenerator.Shuffle<char>(characters);
        return new string(characters);
    }
}

internal sealed class ConstantParameterDefault(Func<string> value) : ParameterDefault
{
    public override string GetDefaultValue() => value();
}
