using Confluent.Kafka;

namespace Commerce.Core.Messaging;

/// <summary>Handles the messages of one topic.</summary>
public interface IMessageHandler<T>
{
    /// <summary>Reads a message. Returns null, or one of <see cref="DeadLetterReasons"/> to make it a dead letter at once.</summary>
    string? Read(ConsumeResult<string?, byte[]?> source, out T message);

    /// <summary>
    /// Handles messages in partition order, each at least once, so the effect must be idempotent. An exception that <see
    /// cref="ServiceDefaults.TransientFaults"/> recognises is waited out. After any other exception the messages return in smaller batches, and those
    /// that keep failing become dead letters.
    /// </summary>
    Task HandleAsync(IReadOnlyList<Received<T>> batch, CancellationToken cancellationToken);

    /// <summary>Called after a readable message became a dead letter.</summary>
    Task OnDeadLetterAsync(T message, CancellationToken cancellationToken);
}

/// <summary>A message and its partition.</summary>
public readonly record struct Received<T>(T Message, int Partition);
