namespace Commerce.Tests;

/// <summary>The trait of tests that take minutes: <c>./commerce test --long</c> runs them, and no others.</summary>
static class LongTests
{
    public const string Length = "length", Long = "long";
}
