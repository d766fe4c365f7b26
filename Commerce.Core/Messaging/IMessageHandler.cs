using Confluent.Kafka;

namespace Commerce.Core.Messaging;

/// <summary>Processes the messages of one topic.</summary>
public interface IMessageHandler<T>
{
    /// <summary>
    /// Reads a message. Returns null if it is valid. Otherwise returns one of <see cref="DeadLetterReasons"/>, and the message becomes a
    /// dead letter at once.
    /// </summary>
    string? Read(ConsumeResult<string?, byte[]?> source, out T message);

    /// <summary>
    /// Processes messages in the order of their partitions. Delivery is at least once, so the effect must be safe to repeat. After an
    /// exception in <see cref="ServiceDefaults.MessageFaults"/>, the messages are retried in smaller batches, and those that keep failing
    /// become dead letters. After any other exception the whole batch is retried until it succeeds.
    /// </summary>
    Task HandleAsync(IReadOnlyList<Received<T>> batch, CancellationToken cancellationToken);

    /// <summary>Called after a readable message became a dead letter.</summary>
    Task OnDeadLetterAsync(T message, CancellationToken cancellationToken);
}

/// <summary>A message and its partition.</summary>
public readonly record struct Received<T>(T Message, int Partition);
