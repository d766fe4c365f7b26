using System.Globalization;
using Xunit.v3;

namespace Commerce.Tests;

/// <summary>Marks tests that break or load servers: <c>./commerce test --long</c> runs them, and no others.</summary>
[AttributeUsage(AttributeTargets.Assembly | AttributeTargets.Class)]
sealed class LongAttribute : Attribute, ITraitAttribute
{
    /// <inheritdoc/>
    public IReadOnlyCollection<KeyValuePair<string, string>> GetTraits() => [new("length", "long")];
}

/// <summary>Limits and sizes of long tests.</summary>
static class LongTests
{
    /// <summary>The time limit in ms. A long test that hangs must not block the whole run.</summary>
    public const int Limit = 12 * 60_000;

    /// <summary>The number of coupons that a long sale issues.</summary>
    public static int Issues => Size("SALE_ISSUES", 100_000);

    /// <summary>The number of purchases during a long sale.</summary>
    public static int Purchases => Size("SALE_PURCHASES", 2_000);

    static int Size(string variable, int otherwise) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } set ? int.Parse(set, CultureInfo.InvariantCulture) : otherwise;
}
