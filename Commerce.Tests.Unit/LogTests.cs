using System.Reflection;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Logging;

namespace Commerce.Tests.Unit;

/// <summary>Many people read logs, and logs are archived. So they contain no user id, name or address.</summary>
public sealed partial class LogTests
{
    public static TheoryData<string> Programs => ["Commerce.Api", "Commerce.Workers", "Commerce.Core", "Commerce.ServiceDefaults", "Commerce.PaymentSandbox"];

    [Theory, MemberData(nameof(Programs))]
    public void No_message_names_a_person(string program)
    {
        var folder = program is "Commerce.Core" or "Commerce.ServiceDefaults" ? "Commerce.Tests.Unit" : program;
        var assembly = Assembly.LoadFrom(Path.Combine(AppContext.BaseDirectory.Replace("Commerce.Tests.Unit", folder, StringComparison.Ordinal), program + ".dll"));

        var messages = assembly.GetTypes()
            .SelectMany(t => t.GetMethods(BindingFlags.Static | BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
            .Select(m => (Method: m, m.GetCustomAttribute<LoggerMessageAttribute>()?.Message)).Where(m => m.Message is not null).ToList();

        Assert.NotEmpty(messages);
        Assert.All(messages, m =>
        {
            Assert.DoesNotMatch(Person(), m.Message!);
            Assert.DoesNotContain(m.Method.GetParameters(), p => Person().IsMatch($"{{{p.Name}}}"));
        });
    }

    [GeneratedRegex(@"\{[^}]*(user|subject|recipient|phone|zipcode|address|email|customer)[^}]*\}", RegexOptions.IgnoreCase)]
    private static partial Regex Person();
}
