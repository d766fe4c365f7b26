using Confluent.Kafka;

namespace Commerce.Core.Messaging;

/// <summary>What a consumer does with the messages of one topic.</summary>
public interface IMessageHandler<T>
{
    /// <summary>Reads a message. Returns null, or one of <see cref="DeadLetterReasons"/>: then it goes to the dead letters at once.</summary>
    string? Read(ConsumeResult<string?, byte[]?> source, out T message);

    /// <summary>
    /// Handles messages in the order of their partitions. Comes at least once for each, so the effect must be safe to repeat. An exception
    /// that <see cref="ServiceDefaults.TransientFaults"/> knows is waited out; after any other the messages come again in smaller batches, and those
    /// that fail every time go to the dead letters.
    /// </summary>
    Task HandleAsync(IReadOnlyList<Received<T>> batch, CancellationToken cancellationToken);

    /// <summary>Told after a readable message went to the dead letters.</summary>
    Task OnDeadLetterAsync(T message, CancellationToken cancellationToken);
}

/// <summary>A message and the partition that it came from.</summary>
public readonly record struct Received<T>(T Message, int Partition);
