using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Text.RegularExpressions;

namespace Commerce.ServiceDefaults;

/// <summary>Validates a JSON value against its target type and collects the errors by member.</summary>
sealed partial class JsonBodyCheck
{
    const string TimeRule = "Must be a time with its UTC offset, such as 2027-01-01T10:00:00+09:00 or 2027-01-01T01:00:00Z.";

    readonly BodyRule _rule;
    readonly Dictionary<string, string[]> _errors = [];

    JsonBodyCheck(BodyRule rule) => _rule = rule;

    /// <summary>The errors by member; empty if the value is valid.</summary>
    public static Dictionary<string, string[]> Run(JsonElement value, JsonTypeInfo type, BodyRule rule)
    {
        var check = new JsonBodyCheck(rule);
        check.Check(value, type, "");
        return check._errors;
    }

    void Check(JsonElement value, JsonTypeInfo type, string path)
    {
        switch (type.Kind)
        {
            case JsonTypeInfoKind.Object when value.ValueKind == JsonValueKind.Object:
                CheckMembers(value, type, path);
                break;
            case JsonTypeInfoKind.Object:
                Add(path, "Must be a JSON object: {…}.");
                break;
            case JsonTypeInfoKind.Enumerable when value.ValueKind != JsonValueKind.Array:
                Add(path, "Must be a JSON array: […].");
                break;
            case JsonTypeInfoKind.Enumerable when type.ElementType is { } element:
                CheckElements(value, type.Options.GetTypeInfo(element), path);
                break;
            default:
                if (Expected(value, type) is { } expected) Add(path, expected);
                break;
        }
    }

    void CheckElements(JsonElement value, JsonTypeInfo type, string path)
    {
        var index = 0;
        foreach (var element in value.EnumerateArray())
        {
            var place = string.Create(CultureInfo.InvariantCulture, $"{path}[{index++}]");
            if (element.ValueKind == JsonValueKind.Null) Add(place, "Must not be null.");
            else Check(element, type, place);
        }
    }

    void CheckMembers(JsonElement value, JsonTypeInfo type, string path)
    {
        var prefix = path.Length > 0 ? path + "." : "";
        var seen = new bool[type.Properties.Count];
        foreach (var member in value.EnumerateObject())
        {
            if (NameOf(member) is not { } given)
            {
                Add(path, "The name of a member is not valid Unicode.");
                continue;
            }

            var place = IndexOf(type, given);
            if (place < 0)
            {
                if (_rule.RefusesUnknown) Add(prefix + given, "This member does not exist.");
                continue;
            }

            var property = type.Properties[place];
            var name = prefix + property.Name;
            if (seen[place]) Add(name, "Given more than once.");
            seen[place] = true;
            if (member.Value.ValueKind != JsonValueKind.Null) Check(member.Value, type.Options.GetTypeInfo(property.PropertyType), name);
            else if (!IsNullable(property)) Add(name, "Required; must not be null.");
        }

        for (var i = 0; i < seen.Length; i++)
        {
            var property = type.Properties[i];
            if (seen[i] || !IsWritable(property)) continue;
            if (IsRequired(property)) Add(prefix + property.Name, "Required.");
            else if (_rule.NeedsAll) Add(prefix + property.Name, IsNullable(property) ? "Required; may be null." : "Required.");
        }
    }

    /// <summary>Returns the name, or null if it has invalid UTF-8 or half of a surrogate pair, which the parser accepts.</summary>
    static string? NameOf(JsonProperty member)
    {
        try
        {
            return member.Name;
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    static int IndexOf(JsonTypeInfo type, string name)
    {
        var comparison = type.Options.PropertyNameCaseInsensitive ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal;
        for (var i = 0; i < type.Properties.Count; i++)
            if (type.Properties[i].Name.Equals(name, comparison) && IsWritable(type.Properties[i])) return i;
        return -1;
    }

    static bool IsWritable(JsonPropertyInfo property) => property.Set is not null || property.AssociatedParameter is not null;

    static bool IsRequired(JsonPropertyInfo property) =>
        property.IsRequired || (property.AssociatedParameter is { HasDefaultValue: false } && !IsNullable(property));

    static bool IsNullable(JsonPropertyInfo property) => property.PropertyType.IsValueType
        ? Nullable.GetUnderlyingType(property.PropertyType) is not null
        : property.AssociatedParameter?.IsNullable ?? property.IsSetNullable;

    void Add(string path, string mistake) => _errors.TryAdd(path.Length > 0 ? path : "body", [mistake]);

    /// <summary>Returns the error for a scalar value, or null if it is valid.</summary>
    static string? Expected(JsonElement value, JsonTypeInfo type)
    {
        var target = Nullable.GetUnderlyingType(type.Type) ?? type.Type;
        try
        {
            value.Deserialize(type);
            return target != typeof(DateTimeOffset) || Offset().IsMatch(value.GetString()!) ? null : TimeRule;
        }
        catch (JsonException)
        {
            return target switch
            {
                _ when target == typeof(DateTimeOffset) => TimeRule,
                _ when target == typeof(string) => "Must be a JSON string: \"…\".",
                _ when target == typeof(bool) => "Must be true or false.",
                _ when target == typeof(int) => string.Create(CultureInfo.InvariantCulture, $"Must be a whole number from {int.MinValue:N0} to {int.MaxValue:N0}."),
                _ when target == typeof(long) => string.Create(CultureInfo.InvariantCulture, $"Must be a whole number from {long.MinValue:N0} to {long.MaxValue:N0}."),
                _ => "The format is not valid.",
            };
        }
    }

    // The deserializer would interpret a time without an offset in the server's time zone.
    [GeneratedRegex(@"T.*(?:Z|[+-][0-9]{2}:?[0-9]{2})\z")]
    private static partial Regex Offset();
}
