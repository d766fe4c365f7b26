namespace Commerce.Core.Orders;

/// <summary>A search for the orders of a recipient: by the beginning of the name, or of the telephone number. Finds addresses that are not deleted yet.</summary>
public sealed record RecipientSearch
{
    const int MinNameLength = 2, MinDigits = 4, MaxLength = 100;

    RecipientSearch(string column, string index, string prefix) => (Column, Index, Prefix) = (column, index, prefix);

    /// <summary>The column of <c>shipping_info</c>.</summary>
    internal string Column { get; }

    /// <summary>The index that has the column.</summary>
    internal string Index { get; }

    /// <summary>For LIKE.</summary>
    internal string Prefix { get; }

    /// <summary>
    /// The search for a text. Without letters it is a telephone number, of which only the digits count. Null if it is too short, so that it would find too
    /// many, or too long.
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
