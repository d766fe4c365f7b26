namespace Commerce.Core.Outbox;

/// <summary>A message that is to be sent when, and only when, the transaction that it is added to is committed.</summary>
/// <param name="Topic">One of <see cref="Messaging.Topics"/>.</param>
/// <param name="Key">Messages of one key arrive in the order of their rows. ASCII, at most 100 characters.</param>
/// <param name="Id">The same for every copy of the message, so that consumers know it again. ASCII, at most 100 characters.</param>
/// <param name="Payload">JSON in UTF-8.</param>
public sealed record OutboxMessage(string Topic, string Key, string Id, byte[] Payload);
