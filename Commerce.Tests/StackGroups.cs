using Commerce.Tests;
using Xunit.Sdk;
using Xunit.v3;

[assembly: CollectionBehavior(typeof(StackGroups))]
[assembly: TestCaseOrderer(typeof(StackGroups))]

namespace Commerce.Tests;

/// <summary>
/// Gives each group of test classes its own stack. The file xunit.runner.json of an assembly limits the groups that run at a time.
/// Fault tests mostly wait, so two of their stacks need little more than one. The tests of a class run in the same order in every
/// run, so that the state that a test leaves behind always has the same effect.
/// </summary>
public sealed class StackGroups : IXunitTestCollectionFactory, ITestCaseOrderer
{
    /// <summary>The folders of each group. Classes in other folders belong to the first group.</summary>
    static readonly string[][] Groups = [["Integration"], ["Page", "Load"], ["Faults"], ["Faults.Coupons", "Faults.Events"], ["Faults.Topology"]];

    readonly XunitTestCollection[] _collections;

    /// <summary>Used by xunit as the factory of an assembly's collections.</summary>
    public StackGroups(IXunitTestAssembly assembly) =>
        _collections = [.. Groups.Select(folders => new XunitTestCollection(assembly, typeof(Stack), disableParallelization: false, string.Join(" and ", folders)))];

    /// <summary>Used by xunit as the orderer of a group's tests.</summary>
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
