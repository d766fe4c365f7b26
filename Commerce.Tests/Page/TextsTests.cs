using System.Text.RegularExpressions;

namespace Commerce.Tests.Page;

/// <summary>All visible texts of the pages are in <c>texts.js</c>, in both languages.</summary>
public sealed partial class TextsTests
{
    static readonly string[] Pages = Directory.GetFiles(Texts.Folder, "*.html");

    static readonly string[] Scripts = [.. Directory.GetFiles(Path.Combine(Texts.Folder, "js"), "*.js", SearchOption.AllDirectories).Where(f => Path.GetFileName(f) != "texts.js")];

    [Fact]
    public void Both_languages_have_the_same_keys_with_the_same_values()
    {
        var (english, korean) = (Texts.Of("en"), Texts.Of("ko"));
        Assert.True(english.Keys.Count > 200, $"Only {english.Keys.Count} texts were found.");

        Assert.Equal(english.Keys.Order(StringComparer.Ordinal), korean.Keys.Order(StringComparer.Ordinal));
        Assert.All(english.Keys, key => Assert.Equal(ValuesOf(english[key]), ValuesOf(korean[key])));

        static IEnumerable<string> ValuesOf(string text) => Value().Matches(text).Select(m => m.Value).Distinct().Order(StringComparer.Ordinal);
    }

    [Fact]
    public void Every_text_is_used_and_every_used_text_is_there()
    {
        var keys = Texts.Of("en").Keys.ToHashSet();
        var sources = string.Join('\n', Pages.Concat(Scripts).Select(File.ReadAllText));
        var prefixes = Prefix().Matches(sources).Select(m => m.Groups[1].Value).ToList();

        Assert.All(Used().Matches(sources).Select(m => m.Groups[1].Value), key => Assert.Contains(key, keys));
        Assert.DoesNotContain(keys, key => !sources.Contains($"'{key}'", StringComparison.Ordinal) && !sources.Contains($"\"{key}\"", StringComparison.Ordinal)
            && !prefixes.Exists(prefix => key.StartsWith(prefix, StringComparison.Ordinal)));
    }

    [Fact]
    public void No_visible_text_is_elsewhere()
    {
        Assert.Equal(3, Pages.Length);
        foreach (var page in Pages)
        {
            // Without JavaScript no language can be selected.
            var html = WithoutScript().Replace(File.ReadAllText(page), "");
            Assert.DoesNotMatch(@"\p{L}", Tag().Replace(html, ""));
            Assert.DoesNotMatch(@"\s(title|alt|aria-label|placeholder)=""[^""]*\p{L}", html);
        }

        var said = Scripts.SelectMany(file => Literal().Matches(Comment().Replace(File.ReadAllText(file), "")).Where(m => !m.Groups["classes"].Success).Select(m => m.Groups["text"].Value))
            .Select(literal => Inserted().Replace(literal, "")).ToList();
        Assert.True(said.Count > 200, $"Only {said.Count} literals were found.");
        Assert.DoesNotContain(said, literal => Sentence().IsMatch(literal));
    }

    [Fact]
    public void Every_refusal_of_the_Api_has_a_Korean_text()
    {
        var texts = File.ReadAllText(Path.Combine(Texts.Folder, "js", "texts.js"));
        var korean = texts[texts.IndexOf("\n  ko: {", StringComparison.Ordinal)..];
        var slugs = new[] { "Commerce.Core", "Commerce.Api", "Commerce.ServiceDefaults" }
            .SelectMany(project => Directory.GetFiles(Path.Combine(Repository.Root, project), "*.cs", SearchOption.AllDirectories))
            .SelectMany(file => Refusal().Matches(File.ReadAllText(file)).Select(m => m.Groups["slug"].Value)).ToList();

        Assert.True(slugs.Count > 50, $"Only {slugs.Count} refusals were found.");
        Assert.DoesNotContain(slugs, slug => !korean.Contains($"\n    '{slug}': '", StringComparison.Ordinal));
    }

    [Fact]
    public void Every_action_of_an_administrator_has_a_text()
    {
        var keys = Texts.Of("en").Keys.ToHashSet();
        var administration = Directory.GetFiles(Path.Combine(Repository.Root, "Commerce.Api"), "*.cs", SearchOption.AllDirectories).Select(File.ReadAllText)
            .Where(source => source.Contains("this RouteGroupBuilder administration", StringComparison.Ordinal));
        var actions = administration.SelectMany(source => Action().Matches(source).Select(m => m.Groups["name"].Value)).ToList();

        Assert.True(actions.Count > 15, $"Only {actions.Count} actions were found.");
        Assert.All(actions, action => Assert.Contains($"action.{action}", keys));
    }

    [GeneratedRegex(@"\{\w+\}")]
    private static partial Regex Value();

    [GeneratedRegex(@"Map(?:Post|Put|Delete)\([^\n]*\.WithName\(""(?<name>\w+)""\)")]
    private static partial Regex Action();

    [GeneratedRegex(@"ProblemType \w+ = new\(\s*[0-9]{3}, ""(?<slug>[a-z0-9-]+)""")]
    private static partial Regex Refusal();

    [GeneratedRegex("""(?:\bt\(|\bparts\(|data-(?:text|label|hint|rule)=)['"]([^'"]+)['"]""")]
    private static partial Regex Used();

    [GeneratedRegex(@"`([\w.]+\.)\$\{")]
    private static partial Regex Prefix();

    [GeneratedRegex("<noscript>.*?</noscript>")]
    private static partial Regex WithoutScript();

    [GeneratedRegex("<[^>]*>")]
    private static partial Regex Tag();

    [GeneratedRegex(@"/\*.*?\*/|^\s*//.*$", RegexOptions.Singleline | RegexOptions.Multiline)]
    private static partial Regex Comment();

    /// <summary>A text in quotes, except the classes of an element.</summary>
    [GeneratedRegex(@"(?<classes>class: )?(?:'(?<text>[^'\n]*)'|`(?<text>[^`]*)`)")]
    private static partial Regex Literal();

    [GeneratedRegex(@"\$\{[^}]*\}")]
    private static partial Regex Inserted();

    /// <summary>Two words, or any Korean text.</summary>
    [GeneratedRegex(@"\b[A-Za-z]{2,}[,.:]? [A-Za-z]{2,}\b|\p{IsHangulSyllables}")]
    private static partial Regex Sentence();
}
