using Commerce.ServiceDefaults;

namespace Commerce.Tests.Unit.ServiceDefaults;

public sealed class DisplayTextTests
{
    /// <summary>Texts that are invisible or not on one line.</summary>
    public static TheoryData<string> Blank =>
    [
        " ", "\t", "\n", "a\nb", "a\u0000b", "\u007F", "\u0085", "\u00A0", "\u3000", "\u2003 ", "\u200B", "\u200D\uFE0F", "\uFEFF", "\u2060", "\u00AD", "\u2028", "a\u2029b",
        "\u202E", "\u0301", "\u3164", "\u115F\u1160", "\uFFA0", "\u2800", "\uD834\uDD59", "\uD80D\uDC41", "\uE000", "\uFFFF", "\uDB40\uDC20", "\uD800", "a\uDC00",
    ];

    [Theory, MemberData(nameof(Blank), DisableDiscoveryEnumeration = true)]
    public void Text_that_shows_nothing_or_leaves_its_line_is_refused(string text)
    {
        var errors = new Dictionary<string, string[]>();
        DisplayText.Check(errors, "must", text, 100);
        DisplayText.CheckOptional(errors, "may", text, 100);
        Assert.Equal(["may", "must"], errors.Keys.Order());
    }

    [Theory]
    [InlineData("a")]
    [InlineData(" 봄 세일 ")]
    [InlineData("👨‍👩‍👧")]
    [InlineData("e\u0301")]
    [InlineData("می‌خواهم")]
    [InlineData("50 % – \"off\"")]
    public void Text_in_any_language_is_taken(string text)
    {
        var errors = new Dictionary<string, string[]>();
        DisplayText.Check(errors, "must", text, 100);
        DisplayText.CheckOptional(errors, "may", text, 100);
        Assert.Empty(errors);
    }

    [Fact]
    public void Only_what_may_be_missing_is_missing_and_nothing_is_too_long()
    {
        var errors = new Dictionary<string, string[]>();
        DisplayText.CheckOptional(errors, "null", null, 3);
        DisplayText.CheckOptional(errors, "empty", "", 3);
        DisplayText.Check(errors, "longest", "abc", 3);
        Assert.Empty(errors);
        DisplayText.Check(errors, "1", null, 3);
        DisplayText.Check(errors, "2", "", 3);
        DisplayText.Check(errors, "3", "abcd", 3);
        DisplayText.CheckOptional(errors, "4", "abcd", 3);
        Assert.Equal(4, errors.Count);
    }
}
