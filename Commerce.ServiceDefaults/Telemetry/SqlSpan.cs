using System.Buffers;
using System.Diagnostics;

namespace Commerce.ServiceDefaults;

/// <summary>
/// Spans of SQL statements. The spans of the client library do not contain the statement. Listening to them also adds a query
/// attribute to every statement, which makes prepared statements fail.
/// </summary>
public static class SqlSpan
{
    static readonly SearchValues<char> Separators = SearchValues.Create(" \t\r\n(),;");

    /// <summary>
    /// Starts a span inside the current trace. Dispose it after the rows are read. Returns null, at no cost, if nobody listens or there
    /// is no trace, because polling would fill the list of traces.
    /// </summary>
    /// <param name="sql">The statement, with parameters instead of values.</param>
    public static Activity? Start(string sql)
    {
        if (Activity.Current is null) return null;
        var span = CommerceTelemetry.Source.StartActivity("SQL", ActivityKind.Client);
        if (span is { IsAllDataRequested: true })
        {
            span.DisplayName = Summary(sql);
            span.SetTag("db.system.name", "mysql");
            span.SetTag("db.query.text", sql);
        }
        return span;
    }

    /// <summary>
    /// Returns the verb and the first table, such as <c>SELECT orders</c> or <c>INSERT outbox</c>, or only the verb if no table follows.
    /// </summary>
    internal static string Summary(string statement)
    {
        var text = statement.AsSpan();
        var verb = NextWord(ref text).ToString().ToUpperInvariant();
        // The word before the table's name. For UPDATE it is the verb itself.
        var marker = verb switch
        {
            "SELECT" or "DELETE" => "FROM",
            "INSERT" or "REPLACE" => "INTO",
            _ => null,
        };
        if (marker is null && verb is not "UPDATE")
            return verb;
        var word = NextWord(ref text);
        while (marker is not null && !word.IsEmpty && !word.Equals(marker, StringComparison.OrdinalIgnoreCase))
            word = NextWord(ref text);
        if (marker is not null)
            word = NextWord(ref text);
        // A subquery stands in place of the table, so its own table is used.
        if (word.Equals("SELECT", StringComparison.OrdinalIgnoreCase))
            return Summary($"SELECT {text}");
        return word.IsEmpty ? verb : $"{verb} {word.Trim('`')}";
    }

    static ReadOnlySpan<char> NextWord(ref ReadOnlySpan<char> text)
    {
        var start = text.IndexOfAnyExcept(Separators);
        if (start < 0)
            return text = [];
        text = text[start..];
        var end = text.IndexOfAny(Separators);
        var word = end < 0 ? text : text[..end];
        text = text[word.Length..];
        return word;
    }
}
