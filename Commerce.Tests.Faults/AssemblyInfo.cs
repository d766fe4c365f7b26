// They kill, freeze and wait. `./commerce test --long` runs them.
[assembly: Trait(Commerce.Tests.LongTests.Length, Commerce.Tests.LongTests.Long)]
