using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Commerce.Tests.Load;

/// <summary>Static checks of the plans.</summary>
[Long]
public sealed partial class LoadPlanTests
{
    static IEnumerable<(string File, XElement Element)> Elements =>
        JMeterFolder.Files.SelectMany(f => f.Value.Descendants().Where(e => e.Attribute("testclass") is not null).Select(e => (f.Key, e)));

    [Fact]
    public void There_are_the_four_plans_each_with_thresholds() =>
        Assert.Equal(
            JMeterFolder.Plans,
            Directory.EnumerateFiles(JMeterFolder.Folder, "*.thresholds").Select(f => Path.GetFileNameWithoutExtension(f)).Order(StringComparer.Ordinal)
                .Where(plan => JMeterFolder.Files.ContainsKey($"{plan}.jmx")));

    [Fact]
    public void Every_property_is_documented_and_every_documented_one_is_used()
    {
        var used = JMeterFolder.Files.Values.SelectMany(f => UsedProperty().Matches(f.ToString()).Select(m => m.Groups["name"].Value))
            .Where(name => !name.StartsWith("commerce.", StringComparison.Ordinal)).Distinct().Order(StringComparer.Ordinal);

        var documented = DocumentedProperty().Matches(JMeterFolder.Read("README.md")).Select(m => m.Groups["name"].Value).Order(StringComparer.Ordinal);

        Assert.Equal(documented, used);
    }

    [Fact]
    public void Every_included_step_exists_and_every_step_is_included()
    {
        var included = Elements.Select(e => e.Element.Property("IncludeController.includepath")).Where(path => path.Length > 0).Distinct().Order(StringComparer.Ordinal);

        Assert.Equal(JMeterFolder.Files.Keys.Where(f => f.StartsWith("steps", StringComparison.Ordinal)).Order(StringComparer.Ordinal), included);
    }

    [Fact]
    public void No_listener_keeps_results_in_memory() =>
        Assert.Empty(Elements
            .Where(e => (string?)e.Element.Attribute("testclass") == "ResultCollector" && (string?)e.Element.Attribute("guiclass") is not ("SummaryReport" or "SimpleDataWriter"))
            .Select(e => e.File));

    [Fact]
    public void Every_request_of_a_user_is_checked_by_status_and_content()
    {
        var requests = Elements.Where(e => (string?)e.Element.Attribute("testclass") == "HTTPSamplerProxy").ToList();
        Assert.True(requests.Count > 20, "The requests were not found.");
        foreach (var (file, request) in requests)
        {
            var name = (string)request.Attribute("testname")!;
            // An assertion next to a request or above it applies to it as well.
            var assertions = request.Below().Concat(request.Ancestors("hashTree").SelectMany(tree => tree.Elements()))
                .Where(e => e.Name.LocalName.EndsWith("Assertion", StringComparison.Ordinal)).ToList();
            Assert.True(assertions.Any(a => a.Property("Assertion.test_field") == "Assertion.response_code"), $"{file}: {name} has no assertion on its status.");
            if (!name.StartsWith("Set up", StringComparison.Ordinal) && !name.StartsWith("Tear down", StringComparison.Ordinal) && !name.Contains("ticket", StringComparison.Ordinal))
                Assert.True(assertions.Count > 1, $"{file}: {name} has no assertion on what it says.");
        }
    }

    /// <summary>JMeter would substitute variables in the script, compile each variant, and execute user names as code.</summary>
    [Fact]
    public void No_script_has_variables_put_into_its_text() =>
        Assert.Empty(Elements.Where(e => e.Element.Property("script").Contains("${", StringComparison.Ordinal)).Select(e => $"{e.File}: {(string?)e.Element.Attribute("testname")}"));

    [Fact]
    public void Every_threshold_is_about_a_step_that_there_is()
    {
        var steps = Elements.Where(e => (string?)e.Element.Attribute("testclass") == "TransactionController")
            .Select(e => ((string)e.Element.Attribute("testname")!).Replace("${stage}", "", StringComparison.Ordinal)).Concat(["*", "all"]).ToHashSet();
        foreach (var plan in JMeterFolder.Plans)
        {
            var lines = JMeterFolder.Read($"{plan}.thresholds").Split('\n').Where(l => l.Length > 0 && l[0] != '#').ToList();
            Assert.Contains(lines, l => l.StartsWith("errors", StringComparison.Ordinal));
            foreach (var line in lines)
            {
                var threshold = Threshold().Match(line);
                Assert.True(threshold.Success, $"{plan}.thresholds: {line}");
                Assert.Contains(threshold.Groups["step"].Value, steps);
            }
        }
    }

    [GeneratedRegex(@"__P\((?<name>[a-z_.]+)|props\.(?:get|getProperty)\('(?<name>[a-z_.]+)'")]
    private static partial Regex UsedProperty();

    [GeneratedRegex(@"^\| `(?<name>[a-z_.]+)` \|(?=.*\|.*\|.*\|$)", RegexOptions.Multiline)]
    private static partial Regex DocumentedProperty();

    [GeneratedRegex(@"^(errors|p50|p95|p99|requests/s) +(<=|>=) +[0-9.]+ +(?<step>.+)\z")]
    private static partial Regex Threshold();
}
