using System.Text;
using Confluent.Kafka;

namespace Commerce.Core.Messaging;

/// <summary>
/// The header <c>message-id</c>: the same for every copy of a message, so that a consumer that remembers it has each effect once.
/// </summary>
public static class MessageId
{
    const string Header = "message-id";

    /// <summary>Puts the id into the headers of a message.</summary>
    public static void Add(Headers headers, string id) => headers.Add(Header, Encoding.ASCII.GetBytes(id));

    /// <summary>The id of a message; null where it has none.</summary>
    public static string? Of(Headers? headers) =>
        headers is not null && headers.TryGetLastBytes(Header, out var bytes) ? Encoding.ASCII.GetString(bytes) : null;
}
