using System.Text;
using Confluent.Kafka;

namespace Commerce.Core.Messaging;

/// <summary>The header <c>message-id</c>. All copies of a message have the same id, so that consumers can recognise them.</summary>
public static class MessageId
{
    const string Header = "message-id";

    /// <summary>Adds the id to the headers of a message.</summary>
    public static void Add(Headers headers, string id) => headers.Add(Header, Encoding.ASCII.GetBytes(id));

    /// <summary>Returns the id of a message, or null if it has none.</summary>
    public static string? Of(Headers? headers) =>
        headers is not null && headers.TryGetLastBytes(Header, out var bytes) ? Encoding.ASCII.GetString(bytes) : null;
}
