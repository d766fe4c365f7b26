using Confluent.Kafka;

namespace Commerce.Core.Messaging;

/// <summary>
/// The number of partitions of each topic. It is read from the brokers each time, because partitions can be added at any time.
/// <c>topics.json</c> has the minimum, and the section <c>Kafka:Partitions</c> (topic → number) can raise it.
/// </summary>
public sealed class TopicPartitions(KafkaAdmin admin, IConfiguration configuration)
{
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(2);

    /// <summary>Returns the current number of partitions of a topic.</summary>
    /// <exception cref="KafkaException">The brokers are unavailable, or the topic does not exist.</exception>
    public async Task<int> CountAsync(string topic, CancellationToken cancellationToken)
    {
        var found = await admin.DescribeTopicAsync(topic, Deadline, cancellationToken);
        return found.Error.IsError ? throw new KafkaException(found.Error) : found.Partitions.Count;
    }

    /// <summary>Returns the reason why this process must not use these topics, in one line. Returns null if it can use them.</summary>
    /// <exception cref="KafkaException">The brokers are unavailable.</exception>
    public async Task<string?> FindShortageAsync(CancellationToken cancellationToken) => DescribeShortage(await AskAsync(cancellationToken), configuration);

    /// <summary>Returns the brokers' metadata of all topics.</summary>
    /// <exception cref="KafkaException">The brokers are unavailable.</exception>
    public Task<Metadata> AskAsync(CancellationToken cancellationToken) => admin.DescribeTopicsAsync(Deadline, cancellationToken);

    /// <summary>Whether a topic is missing.</summary>
    public bool Misses(Metadata metadata) => Missing(metadata, configuration).Count > 0;

    /// <summary>The health check: throws if a topic refuses messages.</summary>
    /// <exception cref="TopicException">The message lists the topics and the reasons.</exception>
    /// <exception cref="KafkaException">The brokers are unavailable.</exception>
    public async Task CheckAsync(CancellationToken cancellationToken)
    {
        if (DescribeFaults(await AskAsync(cancellationToken), configuration) is { } faults) throw new TopicException(faults);
    }

    /// <summary>Topic → minimum number of partitions. Topics are created with this number.</summary>
    public static IReadOnlyDictionary<string, int> Required(IConfiguration configuration) =>
        Topics.Partitions.ToDictionary(t => t.Key, t => Math.Max(t.Value, configuration.GetValue($"Kafka:Partitions:{t.Key}", t.Value)));

    /// <summary>Lists the topics with too few partitions, in one line. Missing topics are not listed, because they are created.</summary>
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

    /// <summary>Lists the missing topics with the number of partitions to create.</summary>
    internal static IReadOnlyList<KeyValuePair<string, int>> Missing(Metadata metadata, IConfiguration configuration)
    {
        // A topic without a leader, or without our permission to read it, still exists.
        var there = metadata.Topics.Where(t => t.Error.Code != ErrorCode.UnknownTopicOrPart).Select(t => t.Topic).ToHashSet();
        return [.. Required(configuration).Where(t => !there.Contains(t.Key))];
    }

    /// <summary>
    /// Describes which topics are missing, forbidden or too small, or have partitions that reject messages. Returns null if all topics
    /// can be used.
    /// </summary>
    internal static string? DescribeFaults(Metadata metadata, IConfiguration configuration)
    {
        var options = configuration.GetSection(TopicOptions.Section).Get<TopicOptions>() ?? new();
        var required = Required(configuration);
        List<string> faults = [.. Missing(metadata, configuration).Select(t => $"{t.Key} is missing")];
        foreach (var topic in metadata.Topics.Where(t => required.ContainsKey(t.Topic) && t.Error.Code != ErrorCode.UnknownTopicOrPart))
        {
            if (topic.Error.IsError) faults.Add($"{topic.Topic}: {topic.Error.Reason}");
            var leaderless = topic.Partitions.Count(p => p.Leader < 0);
            if (leaderless > 0) faults.Add($"{topic.Topic} has no leader for {leaderless} of {topic.Partitions.Count} partitions");
            var lacking = topic.Partitions.Count(p => p.Leader >= 0 && p.InSyncReplicas.Length < options.InsyncOf(p.Replicas.Length));
            if (lacking > 0) faults.Add($"{topic.Topic} has too few replicas in sync for {lacking} of {topic.Partitions.Count} partitions");
        }

        if (DescribeShortage(metadata, configuration) is { } shortage) faults.Add(shortage);
        return faults.Count == 0 ? null : string.Join("; ", faults.Order(StringComparer.Ordinal));
    }
}
