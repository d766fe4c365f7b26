namespace Commerce.Core.Orders;

/// <summary>
/// A search for the orders of a recipient by the beginning of the name or of the telephone number. It finds only addresses that are
/// not deleted yet.
/// </summary>
public sealed record RecipientSearch
{
    const int MinNameLength = 2, MinDigits = 4, MaxLength = 100;

    RecipientSearch(string column, string index, string prefix) => (Column, Index, Prefix) = (column, index, prefix);

    /// <summary>The column of <c>shipping_info</c> to search.</summary>
    internal string Column { get; }

    /// <summary>The index on the column.</summary>
    internal string Index { get; }

    /// <summary>The pattern for LIKE.</summary>
    internal string Prefix { get; }

    /// <summary>
    /// Creates the search for a text. A text without letters is a telephone number, and only its digits count. Returns null if the text
    /// is too long, or so short that it would match too many orders.
    /// </summary>
    public static RecipientSearch? Of(string text)
    {
        text = text.Trim();
        var digits = string.Concat(text.Where(char.IsAsciiDigit));
        if (text.All(c => char.IsAsciiDigit(c) || c is '-' or '+' or ' ' or '(' or ')'))
            return digits.Length is >= MinDigits and <= MaxLength ? new("phone_digits", "shipping_info_by_phone", digits + "%") : null;
        return text.Length is >= MinNameLength and <= MaxLength ? new("recipient", "shipping_info_by_recipient", Escape(text) + "%") : null;
    }

    static string Escape(string text) =>
        text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("%", "\\%", StringComparison.Ordinal).Replace("_", "\\_", StringComparison.Ordinal);
}
