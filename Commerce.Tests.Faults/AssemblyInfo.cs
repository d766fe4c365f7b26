// They kill, freeze and wait. `./commerce test --long` runs them.
[assembly: AssemblyTrait(Commerce.Tests.LongTests.Length, Commerce.Tests.LongTests.Long)]
