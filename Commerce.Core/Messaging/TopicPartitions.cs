using Confluent.Kafka;
using Microsoft.Extensions.Configuration;

namespace Commerce.Core.Messaging;

/// <summary>
/// How many partitions the topics have: asked of the brokers each time, because an administrator may add some at any moment. <c>topics.json</c> says how
/// many there must be at least; the section <c>Kafka:Partitions</c> (topic → number) may ask for more.
/// </summary>
public sealed class TopicPartitions(IProducer<string?, byte[]?> producer, IConfiguration configuration)
{
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(2);

    /// <summary>The partitions of a topic at this moment.</summary>
    /// <exception cref="KafkaException">The brokers cannot be reached, or do not have the topic.</exception>
    public async Task<int> CountAsync(string topic, CancellationToken cancellationToken)
    {
        // The client blocks.
        var found = await Task.Run(() => Ask(admin => admin.GetMetadata(topic, Deadline)).Topics.Single(t => t.Topic == topic), cancellationToken);
        return found.Error.IsError ? throw new KafkaException(found.Error) : found.Partitions.Count;
    }

    /// <summary>Why this process must not work with these topics, in one line for people; null where it may.</summary>
    /// <exception cref="KafkaException">The brokers cannot be reached.</exception>
    public async Task<string?> FindShortageAsync(CancellationToken cancellationToken) =>
        DescribeShortage(await Task.Run(() => Ask(admin => admin.GetMetadata(Deadline)), cancellationToken), configuration);

    /// <summary>Topic → partitions that it must have at least, and is created with.</summary>
    public static IReadOnlyDictionary<string, int> Required(IConfiguration configuration) =>
        Topics.Partitions.ToDictionary(t => t.Key, t => Math.Max(t.Value, configuration.GetValue($"Kafka:Partitions:{t.Key}", t.Value)));

    /// <summary>Which topics have too few partitions, in one line. A topic that is missing is another matter: <c>migrate</c> creates it.</summary>
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
        // Through the connections of the producer; they stay open.
        using var admin = new DependentAdminClientBuilder(producer.Handle).Build();
        return ask(admin);
    }
}
