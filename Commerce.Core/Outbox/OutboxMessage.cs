namespace Commerce.Core.Outbox;

/// <summary>A message that is sent if and only if its transaction commits.</summary>
/// <param name="Topic">One of <see cref="Messaging.Topics"/>.</param>
/// <param name="Key">Messages with the same key arrive in row order. ASCII, at most 100 characters.</param>
/// <param name="Id">The id that all copies of the message share, so that consumers recognise them. ASCII, at most 100
/// characters.</param>
/// <param name="Payload">JSON in UTF-8.</param>
public sealed record OutboxMessage(string Topic, string Key, string Id, byte[] Payload);
