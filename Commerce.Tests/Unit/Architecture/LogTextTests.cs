using System.Text.RegularExpressions;

namespace Commerce.Tests.Unit.Architecture;

/// <summary>What customers and administrators write may name anybody. So no log message contains it.</summary>
public sealed partial class LogTextTests
{
    static readonly string[] Programs = ["Commerce.Api", "Commerce.Core", "Commerce.ServiceDefaults", "Commerce.Workers"];

    [Fact]
    public void No_log_message_contains_what_a_person_wrote()
    {
        var calls = Programs.SelectMany(program => Directory.EnumerateFiles(Path.Combine(Repository.Root, program), "*.cs", SearchOption.AllDirectories))
            .SelectMany(file => LogCall().Matches(File.ReadAllText(file)).Select(m => m.Value)).ToList();

        Assert.True(calls.Count > 50);
        Assert.DoesNotContain(calls, call => PersonalText().IsMatch(call));
    }

    [GeneratedRegex(@"\bLog[A-Z]\w*\((?:[^()]|\([^()]*\))*\);")]
    private static partial Regex LogCall();

    [GeneratedRegex(@"\b(?:refund|request|adjustment|change|action|step)\w*\.Reason\b|\.(?:Recipient|Phone|Address[12]|Zipcode|UserId)\b", RegexOptions.IgnoreCase)]
    private static partial Regex PersonalText();
}
