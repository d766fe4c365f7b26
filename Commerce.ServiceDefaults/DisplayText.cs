using System.Globalization;
using System.Text;

namespace Commerce.ServiceDefaults;

/// <summary>The rule for human-readable text: names, reasons, addresses.</summary>
public static class DisplayText
{
    /// <summary>Adds an error for a required text that is invalid.</summary>
    /// <param name="errors">Errors by field.</param>
    /// <param name="field">The field's name.</param>
    /// <param name="text">The caller's text.</param>
    /// <param name="maxLength">The maximum number of UTF-16 characters. The column has at least this size.</param>
    public static void Check(Dictionary<string, string[]> errors, string field, string? text, int maxLength)
    {
        if (text is not { Length: > 0 } || text.Length > maxLength || !IsReadable(text))
            errors[field] = [$"Must be one line of 1 to {maxLength} characters, at least one of them visible."];
    }

    /// <summary>Adds an error for an optional text that is invalid.</summary>
    public static void CheckOptional(Dictionary<string, string[]> errors, string field, string? text, int maxLength)
    {
        if (text is { Length: > 0 } && (text.Length > maxLength || !IsReadable(text)))
            errors[field] = [$"Must be empty, or one line of up to {maxLength} characters, at least one of them visible."];
    }

    /// <summary>Whether the text is one line without control characters and has a visible character.</summary>
    static bool IsReadable(string text)
    {
        var visible = false;
        for (var i = 0; i < text.Length;)
        {
            // Half of a surrogate pair is not a character.
            if (Rune.DecodeFromUtf16(text.AsSpan(i), out var rune, out var length) != System.Buffers.OperationStatus.Done) return false;
            i += length;
            var category = Rune.GetUnicodeCategory(rune);
            if (category is UnicodeCategory.Control or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator) return false;
            visible |= IsVisible(rune, category);
        }

        return visible;
    }

    // Spaces, zero-width characters and combining marks are allowed between other characters. Alone they are not visible.
    static bool IsVisible(Rune rune, UnicodeCategory category) =>
        category is not (UnicodeCategory.SpaceSeparator or UnicodeCategory.Format or UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark
            or UnicodeCategory.EnclosingMark or UnicodeCategory.Surrogate or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned)
        // Unicode classifies the Hangul fillers, the blank Braille cell, the null notehead and the blank hieroglyphs as letters and symbols,
        // but they are blank.
        && rune.Value is not (0x115F or 0x1160 or 0x3164 or 0xFFA0 or 0x2800 or 0x1D159 or 0x13441 or 0x13442);
}
