using System.Text.RegularExpressions;

namespace Commerce.Tests.Page;

/// <summary>The texts of the pages in one language, from <c>texts.js</c>.</summary>
sealed partial class Texts
{
    readonly Dictionary<string, string> _texts;

    Texts(Dictionary<string, string> texts) => _texts = texts;

    public static string Folder { get; } = Path.Combine(Repository.Root, "Commerce.Api", "wwwroot");

    public IReadOnlyCollection<string> Keys => _texts.Keys;

    public string this[string key] => _texts[key];

    /// <summary>The language of a locale such as <c>ko-KR</c>.</summary>
    public static Texts Of(string locale)
    {
        var source = File.ReadAllText(Path.Combine(Folder, "js", "texts.js"));
        var start = source.IndexOf($"const {locale[..2]} = {{", StringComparison.Ordinal);
        Assert.True(start >= 0, locale);
        var table = source[start..source.IndexOf("\n};", start, StringComparison.Ordinal)];
        return new(Entry().Matches(table).ToDictionary(m => m.Groups["key"].Value, m => m.Groups["text"].Value));
    }

    /// <summary>A text with its values.</summary>
    public string Say(string key, params ReadOnlySpan<(string Name, object Value)> values)
    {
        var text = this[key];
        foreach (var (name, value) in values) text = text.Replace($"{{{name}}}", $"{value}", StringComparison.Ordinal);
        return text;
    }

    [GeneratedRegex("^  '(?<key>[^']+)': '(?<text>[^']*)',$", RegexOptions.Multiline)]
    private static partial Regex Entry();
}
