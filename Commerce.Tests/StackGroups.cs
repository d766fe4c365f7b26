using Commerce.Tests;
using Xunit.Sdk;
using Xunit.v3;

[assembly: CollectionBehavior(typeof(StackGroups))]
[assembly: TestCaseOrderer(typeof(StackGroups))]

namespace Commerce.Tests;

/// <summary>
/// Each group of test classes has its own stack. How many groups of an assembly run at a time is in its xunit.runner.json: fault tests mostly wait, so two
/// of their stacks take little more than one. The tests of a class run in the same order in every run, so that what a test leaves behind has the same
/// effect each time.
/// </summary>
public sealed class StackGroups : IXunitTestCollectionFactory, ITestCaseOrderer
{
    /// <summary>The folders of a group. What is in no other belongs to the first.</summary>
    static readonly string[][] Groups = [["Integration"], ["Page", "Load"], ["Faults"], ["Faults.Coupons", "Faults.Events"], ["Faults.Topology"]];

    readonly XunitTestCollection[] _collections;

    /// <summary>For xunit, as the factory of an assembly's collections.</summary>
    public StackGroups(IXunitTestAssembly assembly) =>
        _collections = [.. Groups.Select(folders => new XunitTestCollection(assembly, typeof(Stack), disableParallelization: false, string.Join(" and ", folders)))];

    /// <summary>For xunit, as the orderer of a group's tests.</summary>
    public StackGroups() => _collections = [];

    /// <inheritdoc/>
    public string DisplayName => "a stack for each group";

    /// <inheritdoc/>
    public IXunitTestCollection Get(Type testClass) => _collections[Math.Max(0, Array.FindLastIndex(Groups, folders => folders.Any(folder => IsIn(testClass, folder))))];

    /// <inheritdoc/>
    public IReadOnlyCollection<TTestCase> OrderTestCases<TTestCase>(IReadOnlyCollection<TTestCase> testCases) where TTestCase : notnull, ITestCase =>
        [.. testCases.OrderBy(c => c.TestCaseDisplayName, StringComparer.Ordinal)];

    static bool IsIn(Type testClass, string folder) => $"{testClass.Namespace}.".StartsWith($"Commerce.Tests.{folder}.", StringComparison.Ordinal);

    sealed class Stack : ICollectionFixture<CommerceStack>;
}
