using System.Globalization;
using Commerce.Core.Background;
using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Microsoft.Extensions.Options;

namespace Commerce.Core.Messaging;

/// <summary>Creates missing topics with their partitions, in <c>Commerce.Workers migrate</c> and in running Workers.</summary>
public sealed partial class TopicCreator(IConfiguration configuration, IOptions<TopicOptions> options, ILogger<TopicCreator> logger)
{
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    /// <summary>Creates missing topics and returns their number.</summary>
    /// <exception cref="KafkaException">The brokers are unavailable or reject the request.</exception>
    /// <exception cref="TopicException">A topic exists with too few partitions.</exception>
    public async Task<int> CreateAsync()
    {
        using var admin = Connect();
        var metadata = admin.GetMetadata(Deadline);
        if (TopicPartitions.DescribeShortage(metadata, configuration) is { } shortage) throw new TopicException(shortage);
        return await CreateMissingAsync(admin, metadata);
    }

    /// <summary>Creates missing topics. Other problems of the topics are ignored.</summary>
    /// <exception cref="KafkaException">The brokers are unavailable or reject the request.</exception>
    public async Task<int> CreateMissingAsync(IAdminClient admin, Metadata metadata)
    {
        var missing = TopicPartitions.Missing(metadata, configuration);
        if (missing.Count == 0) return 0;
        var replicas = options.Value.ReplicasOn(metadata.Brokers.Count);
        var insync = options.Value.InsyncOf(replicas);
        try
        {
            await admin.CreateTopicsAsync(missing.Select(t => new TopicSpecification
            {
                Name = t.Key,
                NumPartitions = t.Value,
                ReplicationFactor = replicas,
                Configs = new()
                {
                    ["min.insync.replicas"] = insync.ToString(CultureInfo.InvariantCulture),
                    ["retention.ms"] = ((long)RetentionOf(t.Key).TotalMilliseconds).ToString(CultureInfo.InvariantCulture),
                },
            }), new CreateTopicsOptions { RequestTimeout = Deadline });
        }
        catch (CreateTopicsException e) when (e.Results.All(r => !r.Error.IsError || r.Error.Code == ErrorCode.TopicAlreadyExists))
        {
            // A concurrent migration has created the topic.
        }

        foreach (var (topic, partitions) in missing) LogCreated(logger, topic, partitions, replicas, insync);
        return missing.Count;
    }

    TimeSpan RetentionOf(string topic) =>
        topic.EndsWith(Topics.DeadLetters(""), StringComparison.Ordinal) ? options.Value.DeadLetterRetention : options.Value.Retention;

    /// <summary>
    /// Deletes the topics with all their messages. The mock broker cannot delete topics, but its old messages refer to ids that no longer
    /// exist.
    /// </summary>
    /// <exception cref="KafkaException">The brokers are unavailable.</exception>
    public async Task DeleteAsync()
    {
        using var admin = Connect();
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

    IAdminClient Connect() =>
        new AdminClientBuilder(new AdminClientConfig().ForCommerce(configuration)).SetLogHandler(logger.ToClientLog()).Build();

    [LoggerMessage(Level = LogLevel.Warning, Message = "The broker cannot delete topics; their messages stay")]
    static partial void LogKept(ILogger logger);

    [LoggerMessage(Level = LogLevel.Information, Message = "Created {Topic} with {Partitions} partitions, {Replicas} replicas, at least {Insync} in sync")]
    static partial void LogCreated(ILogger logger, string topic, int partitions, int replicas, int insync);
}

/// <summary>The topics do not fit the application. The message gives the reason in one line.</summary>
public sealed class TopicException(string message) : Exception(message);

/// <summary>
/// Creates missing topics while the process runs. Topics are missing after the brokers came back without their log, or after somebody
/// deleted them. Several processes can run it.
/// </summary>
public sealed class TopicKeeper(TopicPartitions partitions, TopicCreator creator, KafkaAdmin admin, TimeProvider clock, ILogger<TopicKeeper> logger)
    : PeriodicWorker(clock, logger)
{
    /// <inheritdoc/>
    protected override TimeSpan Interval => TimeSpan.FromSeconds(2);

    /// <inheritdoc/>
    protected override async Task RunOnceAsync(CancellationToken stoppingToken)
    {
        var metadata = await partitions.AskAsync(stoppingToken);
        if (partitions.Misses(metadata)) await admin.AskAsync(client => creator.CreateMissingAsync(client, metadata), stoppingToken);
    }
}

/// <summary>Registers the creation of topics.</summary>
public static class TopicExtensions
{
    /// <summary>Adds <see cref="TopicCreator"/>.</summary>
    public static TBuilder AddTopicCreator<TBuilder>(this TBuilder builder) where TBuilder : IHostApplicationBuilder
    {
        builder.Services.AddOptions<TopicOptions>().BindConfiguration(TopicOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddSingleton<TopicCreator>();
        return builder;
    }

    /// <summary>Adds <see cref="TopicCreator"/> and the worker that calls it when a topic is missing.</summary>
    public static TBuilder AddTopicKeeper<TBuilder>(this TBuilder builder) where TBuilder : IHostApplicationBuilder
    {
        builder.AddTopicCreator();
        builder.Services.AddHostedService<TopicKeeper>();
        return builder;
    }
}
