using Commerce.Core.Messaging;

namespace Commerce.Workers.Messaging;

/// <summary>Adds the consumers that copy dead letters into their table.</summary>
static class DeadLetterArchiveExtensions
{
    public static WebApplicationBuilder AddDeadLetterArchive(this WebApplicationBuilder builder, params IEnumerable<string> topics)
    {
        foreach (var topic in topics.Select(Topics.DeadLetters))
            builder.AddConsumerLoop<ArrivedDeadLetter, DeadLetterStore>(topic, group: $"{topic}-archive", new ConsumerLoopOptions
            {
                Retries = new RetryPolicy { Attempts = 5 },
            });
        return builder;
    }
}
