using System.Buffers;
using System.Diagnostics;

namespace Commerce.ServiceDefaults;

/// <summary>
/// The spans of SQL statements. They are the application's own, because those of MySql.Data lack the text, and listening to them makes it
/// add a query attribute to every statement, on which prepared ones fail with a NullReferenceException.
/// </summary>
public static class SqlSpan
{
    static readonly SearchValues<char> Separators = SearchValues.Create(" \t\r\n(),;");

    /// <summary>
    /// Starts the span of a statement as a part of the trace that is under way; dispose of it when the rows are there. Null, and free,
    /// where nobody listens, and outside of a trace: what polls would fill the list of traces with nothing.
    /// </summary>
    /// <param name="sql">The text, with parameters in place of values.</param>
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

    /// <summary>The verb and the first table: <c>SELECT orders</c>, <c>INSERT outbox</c>; the verb alone where no table follows.</summary>
    internal static string Summary(string statement)
    {
        var text = statement.AsSpan();
        var verb = NextWord(ref text).ToString().ToUpperInvariant();
        // The word in front of the table's name; UPDATE itself stands in front of it.
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
        // A subquery in place of the table: its own is meant.
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
