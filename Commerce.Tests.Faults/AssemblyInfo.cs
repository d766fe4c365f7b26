// They kill, freeze and wait.
[assembly: Commerce.Tests.Long]
