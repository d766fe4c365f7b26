using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;

namespace Commerce.Tests.Unit.Operations;

/// <summary>docs/operations.md matches the code.</summary>
public sealed partial class OperationsTests
{
    static readonly string[] Programs = ["Commerce.Api", "Commerce.Workers", "Commerce.PaymentSandbox"];
    static readonly string[] Sources = [.. Programs, "Commerce.Core", "Commerce.ServiceDefaults"];

    static readonly Lazy<string> Page = new(() => File.ReadAllText(Path.Combine(Repository.Root, "docs", "operations.md")));

    static IEnumerable<string> Code => Sources.SelectMany(project => Directory.EnumerateFiles(Path.Combine(Repository.Root, project), "*.cs", SearchOption.AllDirectories))
        .Select(File.ReadAllText);

    [Fact]
    public void Every_key_of_the_configuration_is_there_with_its_default()
    {
        var keys = Programs.SelectMany(Options).DistinctBy(o => o.Key).ToList();
        Assert.True(keys.Count > 40, $"Only {keys.Count} keys were found.");
        var missing = keys.Where(o => !Page.Value.Contains($"| `{o.Key}` | {(o.Default is null ? "" : $"`{o.Default}` ")}|", StringComparison.Ordinal)
            && !(o.Default is "…" && Page.Value.Contains($"| `{o.Key}` |", StringComparison.Ordinal)));

        Nothing(missing.Select(o => $"| `{o.Key}` | `{o.Default}` |"));
    }

    [Fact]
    public void Every_instrument_is_there_and_every_alert_has_a_runbook()
    {
        var instruments = Code.SelectMany(text => Instrument().Matches(text)).Select(m => m.Groups[1].Value).Distinct().ToList();
        Assert.True(instruments.Count > 20, $"Only {instruments.Count} instruments were found.");
        Nothing(instruments.Where(name => !Page.Value.Contains($"| `{name}` |", StringComparison.Ordinal)));

        var rules = File.ReadAllText(Path.Combine(Repository.Root, "infra", "ec2-compose", "observability", "alerts.yaml"));
        var alerts = Alert().Matches(rules).Select(m => m.Groups[1].Value).ToList();
        Assert.NotEmpty(alerts);
        Nothing(alerts.Where(name => !Page.Value.Contains($"**{name}**", StringComparison.Ordinal)));
        // Alerts and dashboard use existing instruments.
        var dashboard = File.ReadAllText(Path.Combine(Repository.Root, "infra", "ec2-compose", "observability", "grafana", "dashboards", "commerce.json"));
        var known = instruments.Select(name => name.Replace('.', '_')).ToList();
        Nothing(Metric().Matches(rules + dashboard).Select(m => m.Value).Distinct().Where(asked => !known.Exists(name => asked.StartsWith(name, StringComparison.Ordinal))));
    }

    [Fact]
    public void Every_error_in_the_log_has_a_runbook()
    {
        var messages = Code.SelectMany(text => Error().Matches(text)).Select(m => Placeholder().Replace(m.Groups[1].Value, "…")).ToList();
        Assert.True(messages.Count > 10, $"Only {messages.Count} errors were found.");
        var told = Told().Matches(Page.Value).Select(m => m.Groups[1].Value).ToList();

        Nothing(messages.Where(message => !told.Exists(t => Regex.IsMatch(message, "^" + string.Join(".*", t.Split('…').Select(Regex.Escape))))));
    }

    /// <summary>Fails with the whole list and not only with its first entry.</summary>
    static void Nothing(IEnumerable<string> left)
    {
        if (string.Join(Environment.NewLine, left) is { Length: > 0 } text) Assert.Fail($"docs/operations.md lacks:{Environment.NewLine}{text}");
    }

    static IEnumerable<(string Key, string? Default)> Options(string program)
    {
        var folder = AppContext.BaseDirectory.Replace("Commerce.Tests", program, StringComparison.Ordinal);
        foreach (var assembly in new[] { program, "Commerce.Core", "Commerce.ServiceDefaults" }.Select(name => Path.Combine(folder, $"{name}.dll")).Where(File.Exists))
            foreach (var type in Assembly.LoadFrom(assembly).GetTypes().Where(t => t.Name.EndsWith("Options", StringComparison.Ordinal)))
                if (type.GetField("Section", BindingFlags.Public | BindingFlags.Static)?.GetRawConstantValue() is string section)
                    foreach (var property in type.GetProperties().Where(p => p.SetMethod is not null || p.PropertyType.IsGenericType))
                        yield return ($"{section}:{property.Name}", Text(property.GetValue(Activator.CreateInstance(type))));
    }

    static string? Text(object? value) => value switch
    {
        null or "" or System.Collections.ICollection { Count: 0 } => null,
        IFormattable or bool or string => Convert.ToString(value, CultureInfo.InvariantCulture),
        _ => "…",
    };

    [GeneratedRegex("""Create(?:Counter|Histogram|UpDownCounter|ObservableGauge|ObservableCounter)(?:<\w+>)?\("([^"]+)""")]
    private static partial Regex Instrument();

    [GeneratedRegex(@"alert: (\w+)")]
    private static partial Regex Alert();

    [GeneratedRegex(@"commerce_\w+")]
    private static partial Regex Metric();

    [GeneratedRegex("""Level = LogLevel\.(?:Error|Critical), Message = "([^"]+)""")]
    private static partial Regex Error();

    [GeneratedRegex(@"\{[^}]+\}")]
    private static partial Regex Placeholder();

    [GeneratedRegex(@"^\| `([^`]+)`", RegexOptions.Multiline)]
    private static partial Regex Told();
}
