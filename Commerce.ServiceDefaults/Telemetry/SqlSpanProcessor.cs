using System.Buffers;
using System.Diagnostics;
using OpenTelemetry;

namespace Commerce.ServiceDefaults;

/// <summary>Makes the spans of both MySQL clients readable: named by their statement, without those of opening a connection.</summary>
internal sealed class SqlSpanProcessor : BaseProcessor<Activity>
{
    public const string MySqlData = "connector-net";
    public const string MySqlConnector = "MySqlConnector";

    private static readonly SearchValues<char> Separators = SearchValues.Create(" \t\r\n(),;");

    public override void OnEnd(Activity data)
    {
        if (data.Source.Name is not (MySqlData or MySqlConnector))
            return;
        if ((data.GetTagItem("db.query.text") ?? data.GetTagItem("db.statement")) is not string statement)
        {
            data.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
            return;
        }
        data.DisplayName = Summary(statement);
        data.SetTag("db.system", "mysql");
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
        return word.IsEmpty ? verb : $"{verb} {word.Trim('`')}";
    }

    private static ReadOnlySpan<char> NextWord(ref ReadOnlySpan<char> text)
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
