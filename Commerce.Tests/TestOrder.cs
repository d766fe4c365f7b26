using Commerce.Tests;
using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(TestOrder))]
[assembly: TestCaseOrderer(typeof(TestOrder))]

namespace Commerce.Tests;

/// <summary>
/// The same order in every run, from what is tried alone to what breaks everything: what passed once does not fail elsewhere because of what another
/// test left behind, and a mistake shows where it is smallest.
/// </summary>
public sealed class TestOrder : ITestCollectionOrderer, ITestCaseOrderer
{
    static readonly string[] Folders = ["Integration", "Load", "Page", "Faults", "Faults.Chaos"];

    /// <inheritdoc/>
    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [.. testCollections.OrderBy(c => FolderOf(c.TestCollectionDisplayName)).ThenBy(c => c.TestCollectionDisplayName, StringComparer.Ordinal)];

    /// <inheritdoc/>
    public IReadOnlyCollection<TTestCase> OrderTestCases<TTestCase>(IReadOnlyCollection<TTestCase> testCases) where TTestCase : notnull, ITestCase =>
        [.. testCases.OrderBy(c => c.TestCaseDisplayName, StringComparer.Ordinal)];

    static int FolderOf(string name) => Array.FindLastIndex(Folders, folder => name.Contains($"Commerce.Tests.{folder}.", StringComparison.Ordinal));
}
