using Commerce.Core.Events;
using Commerce.Core.Messaging;
using Confluent.Kafka;

namespace Commerce.Workers.Events;

/// <summary>
/// Announces openings to the replicas of the Api. A duplicate adds nothing, because the number of the opening is its id in the
/// stream.
/// </summary>
sealed class EventOpenHandler(EventAnnouncements announcements) : IMessageHandler<EventOpened>
{
    // A message is processed at once, because users are watching a countdown.
    public static ConsumerLoopOptions Options { get; } = new() { Linger = TimeSpan.Zero, Retries = new() { Attempts = 4 } };

    public string? Read(ConsumeResult<string?, byte[]?> source, out EventOpened message) => EventOpened.Read(source.Message.Value, out message);

    public async Task HandleAsync(IReadOnlyList<Received<EventOpened>> batch, CancellationToken cancellationToken)
    {
        foreach (var (opened, _) in batch) await announcements.AnnounceAsync(opened);
    }

    // The replicas notice the gap, or read the database anyway.
    public Task OnDeadLetterAsync(EventOpened message, CancellationToken cancellationToken) => Task.CompletedTask;
}
