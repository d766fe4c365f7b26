// The tests kill and freeze processes, and wait.
[assembly: Commerce.Tests.Long]
