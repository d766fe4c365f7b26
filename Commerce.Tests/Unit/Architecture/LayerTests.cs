using System.Text.RegularExpressions;
using Commerce.Core.Database;
using Commerce.Core.Events;
using Commerce.Core.Payments;
using Commerce.ServiceDefaults;

namespace Commerce.Tests.Unit.Architecture;

/// <summary>
/// SQL is in repositories and stores, which know nothing about HTTP. Features depend on each other in one direction. The service
/// defaults know nothing about the shop. The exceptions are listed. A new exception fails, and so does a listed one that is no longer
/// needed.
/// </summary>
public sealed partial class LayerTests
{
    static readonly System.Reflection.Assembly Core = typeof(MySqlDatabase).Assembly;

    [Fact]
    public void SQL_is_written_in_repositories_and_stores()
    {
        string[] others =
        [
            "ConsistencyCheck", "InventoryReconciler", "Migrator", "OrderFulfilment", "OrderReconciler", "OrderService", "OutboxWriter", "PaymentConsistencyCheck", "PaymentService",
        ];

        // The catalogue maps its views by SQL.
        var writers = Dependencies.TextsOf(Core).Where(type => !type.Key.StartsWith("Commerce.Core.Catalog.", StringComparison.Ordinal) && type.Any(text => Statement().IsMatch(text)))
            .Select(type => Name(type.Key)).ToList();

        Assert.Contains("CouponRepository", writers);
        Assert.Equal(others, writers.Where(name => !IsRepository(name)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Repositories_and_stores_know_no_HTTP()
    {
        string[] http = [typeof(ProblemType).FullName!, typeof(ProblemException).FullName!, typeof(ProblemResult).FullName!];

        // These two find the reason for a refusal in the same transaction.
        string[] others = [nameof(EventRepository), nameof(PaymentRepository)];

        Assert.Equal(others, Dependencies.Of(Core).Where(type => IsRepository(Name(type.Key)))
            .Where(type => type.Any(used => http.Contains(used) || used.StartsWith("Microsoft.AspNetCore.", StringComparison.Ordinal)))
            .Select(type => Name(type.Key)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void No_feature_of_the_core_depends_on_itself_through_another()
    {
        var uses = Dependencies.Of(Core).SelectMany(type => type.Select(used => (Feature: FeatureOf(type.Key), Used: FeatureOf(used))))
            .Where(u => u.Feature.Length > 0 && u.Used.Length > 0 && u.Feature != u.Used).ToLookup(u => u.Feature, u => u.Used);
        Assert.Contains("Inventory", uses["Orders"]);

        // A feature that uses none of the others, or is used by none, is not part of a cycle.
        var cyclic = uses.Select(u => u.Key).ToHashSet(StringComparer.Ordinal);
        while (cyclic.RemoveWhere(feature => !uses[feature].Any(cyclic.Contains) || !cyclic.Any(user => uses[user].Contains(feature))) > 0) { }

        Assert.Equal([], cyclic.Order(StringComparer.Ordinal).Select(feature => $"{feature} → {string.Join(", ", uses[feature].Where(cyclic.Contains).Distinct().Order(StringComparer.Ordinal))}"));
    }

    [Fact]
    public void The_service_defaults_know_nothing_of_the_shop()
    {
        var names = Dependencies.NamesIn(typeof(ProblemType).Assembly);

        Assert.Contains(nameof(ProblemType), names);
        Assert.DoesNotContain(names, name => ShopWord().IsMatch(name));
        Assert.Contains(Dependencies.NamesIn(Core), name => ShopWord().IsMatch(name));
    }

    static bool IsRepository(string type) => type.EndsWith("Repository", StringComparison.Ordinal) || type.EndsWith("Store", StringComparison.Ordinal);

    /// <summary>Returns the folder of a type in Core. It is empty for shared types and for types of other assemblies.</summary>
    static string FeatureOf(string fullName) => Feature().Match(fullName).Groups[1].Value;

    static string Name(string fullName) => fullName[(fullName.LastIndexOf('.') + 1)..];

    [GeneratedRegex(@"^\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE)\s")]
    private static partial Regex Statement();

    [GeneratedRegex(@"^Commerce\.Core\.(\w+)\.")]
    private static partial Regex Feature();

    [GeneratedRegex("Coupon|Orders|Order[A-Z]|Payment|Inventory|Stock|Product([A-Z]|s|$)|Refund|SaleEvent")]
    private static partial Regex ShopWord();
}
