using Confluent.Kafka;
using Confluent.Kafka.Admin;

namespace Commerce.Core.Messaging;

/// <summary>Creates missing topics with their partitions. Part of <c>Commerce.Workers migrate</c>.</summary>
public sealed partial class TopicCreator(IConfiguration configuration, ILogger<TopicCreator> logger)
{
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    /// <summary>Returns the number of created topics.</summary>
    /// <exception cref="KafkaException">The brokers are unavailable.</exception>
    /// <exception cref="TopicException">A topic has too few partitions.</exception>
    public async Task<int> CreateAsync()
    {
        using var admin = new AdminClientBuilder(new AdminClientConfig
        {
            BootstrapServers = configuration.GetConnectionString("kafka"),
        }).Build();
        var metadata = admin.GetMetadata(Deadline);
        if (TopicPartitions.DescribeShortage(metadata, configuration) is { } shortage) throw new TopicException(shortage);
        var there = metadata.Topics.Where(t => !t.Error.IsError).Select(t => t.Topic).ToHashSet();
        var missing = TopicPartitions.Required(configuration).Where(t => !there.Contains(t.Key)).ToList();
        if (missing.Count == 0) return 0;

        try
        {
            await admin.CreateTopicsAsync(missing.Select(t => new TopicSpecification { Name = t.Key, NumPartitions = t.Value }),
                new CreateTopicsOptions { RequestTimeout = Deadline });
        }
        catch (CreateTopicsException e) when (e.Results.All(r => !r.Error.IsError || r.Error.Code == ErrorCode.TopicAlreadyExists))
        {
            // A concurrent migration was faster.
        }

        foreach (var (topic, partitions) in missing) LogCreated(logger, topic, partitions);
        return missing.Count;
    }

    /// <summary>Deletes the topics with all their messages. A broker that cannot (the mock) keeps them; their ids are unknown afterwards.</summary>
    /// <exception cref="KafkaException">The brokers are unavailable.</exception>
    public async Task DeleteAsync()
    {
        using var admin = new AdminClientBuilder(new AdminClientConfig
        {
            BootstrapServers = configuration.GetConnectionString("kafka"),
        }).Build();
        var there = admin.GetMetadata(Deadline).Topics.Select(t => t.Topic).Where(Topics.Partitions.ContainsKey).ToList();
        try
        {
            if (there.Count > 0) await admin.DeleteTopicsAsync(there, new DeleteTopicsOptions { OperationTimeout = Deadline, RequestTimeout = Deadline });
        }
        catch (KafkaException e) when (e.Error.Code == ErrorCode.Local_UnsupportedFeature)
        {
            LogKept(logger);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The broker cannot delete topics; their messages stay")]
    static partial void LogKept(ILogger logger);

    [LoggerMessage(Level = LogLevel.Information, Message = "Created {Topic} with {Partitions} partitions")]
    static partial void LogCreated(ILogger logger, string topic, int partitions);
}

/// <summary>What is wrong with the topics, in one line.</summary>
public sealed class TopicException(string message) : Exception(message);
