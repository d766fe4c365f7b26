using Confluent.Kafka;

namespace Commerce.Core.Messaging;

/// <summary>
/// The number of partitions of each topic. It is read from the brokers each time, because partitions may be added at any time. <c>topics.json</c> has
/// the minimum; the section <c>Kafka:Partitions</c> (topic → number) may raise it.
/// </summary>
public sealed class TopicPartitions(IProducer<string?, byte[]?> producer, IConfiguration configuration)
{
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(2);

    /// <summary>The current number of partitions of a topic.</summary>
    /// <exception cref="KafkaException">The brokers are unavailable, or the topic does not exist.</exception>
    public async Task<int> CountAsync(string topic, CancellationToken cancellationToken)
    {
        // The client blocks.
        var found = await Task.Run(() => Ask(admin => admin.GetMetadata(topic, Deadline)).Topics.Single(t => t.Topic == topic), cancellationToken);
        return found.Error.IsError ? throw new KafkaException(found.Error) : found.Partitions.Count;
    }

    /// <summary>The reason why this process must not run with these topics, in one line; null if it may.</summary>
    /// <exception cref="KafkaException">The brokers are unavailable.</exception>
    public async Task<string?> FindShortageAsync(CancellationToken cancellationToken) =>
        DescribeShortage(await Task.Run(() => Ask(admin => admin.GetMetadata(Deadline)), cancellationToken), configuration);

    /// <summary>Topic → minimum number of partitions, also used for its creation.</summary>
    public static IReadOnlyDictionary<string, int> Required(IConfiguration configuration) =>
        Topics.Partitions.ToDictionary(t => t.Key, t => Math.Max(t.Value, configuration.GetValue($"Kafka:Partitions:{t.Key}", t.Value)));

    /// <summary>The topics with too few partitions, in one line. Missing topics are not reported: <c>migrate</c> creates them.</summary>
    internal static string? DescribeShortage(Metadata metadata, IConfiguration configuration)
    {
        var required = Required(configuration);
        var lacking = metadata.Topics
            .Where(t => !t.Error.IsError && t.Partitions.Count > 0 && required.TryGetValue(t.Topic, out var least) && t.Partitions.Count < least)
            .Select(t => $"{t.Topic} has {t.Partitions.Count} of {required[t.Topic]}")
            .Order(StringComparer.Ordinal)
            .ToList();
        return lacking.Count == 0 ? null
            : $"Too few partitions: {string.Join(", ", lacking)}. Add them (kafka-topics.sh --alter --topic NAME --partitions NUMBER), then start again.";
    }

    Metadata Ask(Func<IAdminClient, Metadata> ask)
    {
        // Uses the producer's connections, which stay open.
        using var admin = new DependentAdminClientBuilder(producer.Handle).Build();
        return ask(admin);
    }
}
