using Commerce.Tests;
using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(TestOrder))]
[assembly: TestCaseOrderer(typeof(TestOrder))]

namespace Commerce.Tests;

/// <summary>
/// A fixed order, from isolated tests to those that break everything: a test that passed does not fail because of leftovers of another, and a bug
/// shows up in the smallest test.
/// </summary>
public sealed class TestOrder : ITestCollectionOrderer, ITestCaseOrderer
{
    static readonly string[] Folders = ["Integration", "Page", "Faults", "Chaos"];

    /// <inheritdoc/>
    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [.. testCollections.OrderBy(c => FolderOf(c.TestCollectionDisplayName)).ThenBy(c => c.TestCollectionDisplayName, StringComparer.Ordinal)];

    /// <inheritdoc/>
    public IReadOnlyCollection<TTestCase> OrderTestCases<TTestCase>(IReadOnlyCollection<TTestCase> testCases) where TTestCase : notnull, ITestCase =>
        [.. testCases.OrderBy(c => c.TestCaseDisplayName, StringComparer.Ordinal)];

    static int FolderOf(string name) => Array.FindIndex(Folders, folder => name.Contains($"Commerce.Tests.{folder}.", StringComparison.Ordinal));
}
