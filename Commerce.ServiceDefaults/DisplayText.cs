using System.Globalization;
using System.Text;

namespace Commerce.ServiceDefaults;

/// <summary>The one rule for text that people write and others read: names, reasons, addresses.</summary>
public static class DisplayText
{
    /// <summary>Adds to <paramref name="errors"/> what is wrong with a text that must be there.</summary>
    /// <param name="errors">By field.</param>
    /// <param name="field">The field's name.</param>
    /// <param name="text">What was given.</param>
    /// <param name="maxLength">In UTF-16 characters, as the column has it at least.</param>
    public static void Check(Dictionary<string, string[]> errors, string field, string? text, int maxLength)
    {
        if (text is not { Length: > 0 } || text.Length > maxLength || !IsReadable(text))
            errors[field] = [$"Must be one line of 1 to {maxLength} characters, at least one of them visible."];
    }

    /// <summary>The same for a text that may be empty or null.</summary>
    public static void CheckOptional(Dictionary<string, string[]> errors, string field, string? text, int maxLength)
    {
        if (text is { Length: > 0 } && (text.Length > maxLength || !IsReadable(text)))
            errors[field] = [$"Must be empty, or one line of up to {maxLength} characters, at least one of them visible."];
    }

    /// <summary>Whether it is one line, has no control characters, and shows something.</summary>
    static bool IsReadable(string text)
    {
        var visible = false;
        for (var i = 0; i < text.Length;)
        {
            // Half of a surrogate pair is no character.
            if (Rune.DecodeFromUtf16(text.AsSpan(i), out var rune, out var length) != System.Buffers.OperationStatus.Done) return false;
            i += length;
            var category = Rune.GetUnicodeCategory(rune);
            if (category is UnicodeCategory.Control or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator) return false;
            visible |= IsVisible(rune, category);
        }

        return visible;
    }

    // Spaces, zero-width characters (formats), and marks that would need a letter under them are allowed between others, but show nothing alone.
    static bool IsVisible(Rune rune, UnicodeCategory category) =>
        category is not (UnicodeCategory.SpaceSeparator or UnicodeCategory.Format or UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark
            or UnicodeCategory.EnclosingMark or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned)
        // The fillers of Hangul and the empty Braille cell count as letters and as a symbol, and are blank.
        && rune.Value is not (0x115F or 0x1160 or 0x3164 or 0xFFA0 or 0x2800);
}
