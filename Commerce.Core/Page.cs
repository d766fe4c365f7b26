using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Commerce.Core;

/// <summary>A page of a list.</summary>
/// <param name="Next">The cursor of the next page, or null on the last page.</param>
public sealed record Page<T>(IReadOnlyList<T> Items, string? Next);

/// <summary>Creates pages.</summary>
public static class Pages
{
    /// <summary>Creates a page of <paramref name="limit"/> items from a query that read one row more.</summary>
    /// <param name="cursorOf">Returns the cursor after an item.</param>
    public static Page<T> Of<T>(IReadOnlyList<T> rows, int limit, Func<T, FormattableString> cursorOf) =>
        rows.Count > limit ? new([.. rows.Take(limit)], FormattableString.Invariant(cursorOf(rows[limit - 1]))) : new(rows, null);
}

/// <summary>
/// A position in a list that is not ordered by id alone: <c>RANK-ID</c>. The next page has lower ranks, or the same rank and lower
/// ids.
/// </summary>
public readonly record struct Cursor(long Rank, long Id) : IParsable<Cursor>
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Rank}-{Id}");

    public static Cursor Parse(string s, IFormatProvider? provider) => TryParse(s, provider, out var cursor) ? cursor : throw new FormatException();

    public static bool TryParse([NotNullWhen(true)] string? s, IFormatProvider? provider, out Cursor result)
    {
        result = default;
        if (s?.Split('-') is not [var rank, var id] || !TryParse(rank, out var first) || !TryParse(id, out var second)) return false;
        result = new(first, second);
        return true;

        static bool TryParse(string text, out long number) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
    }
}
