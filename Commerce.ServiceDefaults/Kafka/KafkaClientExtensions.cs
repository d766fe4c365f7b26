using Confluent.Kafka;

namespace Commerce.ServiceDefaults;

/// <summary>What all clients of Kafka have in common: producers, consumers, and those that create topics and ask for their state.</summary>
public static class KafkaClientExtensions
{
    /// <summary>
    /// Settings of every client by the names of Confluent.Kafka, such as <c>SecurityProtocol</c> (<c>SaslSsl</c>), <c>SaslMechanism</c> (<c>ScramSha512</c>,
    /// <c>Plain</c>), <c>SaslUsername</c>, <c>SaslPassword</c> and <c>SslCaLocation</c>.
    /// </summary>
    public const string Section = "Kafka:Client";

    /// <summary>In ms. By default a client stays away for up to 10 s after the brokers are back.</summary>
    const int MaxReconnectBackoffMs = 1000;

    /// <summary>In ms. By default a client learns of new partitions up to 5 min after they were added, and their messages wait for so long.</summary>
    const int MetadataRefreshMs = 2000;

    /// <summary>Tells a client where the brokers are and how to connect to them. What <see cref="Section"/> says wins.</summary>
    public static T ForCommerce<T>(this T config, IConfiguration configuration) where T : ClientConfig
    {
        config.BootstrapServers = configuration.GetConnectionString("kafka");
        config.ReconnectBackoffMaxMs = MaxReconnectBackoffMs;
        config.TopicMetadataRefreshIntervalMs = MetadataRefreshMs;
        // By default a client whose brokers are all away begins anew with the addresses that it was given, at each attempt, and starts a thread for each: 40 to
        // 100 threads a second in a process of ours. That helps only where all brokers moved to other addresses meanwhile; a restart does so, too.
        config.MetadataRecoveryStrategy = MetadataRecoveryStrategy.None;
        config.SocketNagleDisable = true;
        // Topics are created with their partitions, or not at all: a broker that makes one on demand makes it with one partition.
        config.AllowAutoCreateTopics = false;
        configuration.GetSection(Section).Bind(config);
        return config;
    }

    /// <summary>Logs what the client says under one category. An outage is logged once by whoever uses the client; librdkafka would log it twice a second.</summary>
    public static Action<IClient, LogMessage> ToClientLog(this ILogger logger) => (_, message) => KafkaClientLog.LogClient(logger, message.Facility, message.Message);
}

static partial class KafkaClientLog
{
    [LoggerMessage(Level = LogLevel.Debug, Message = "{Facility}: {Text}")]
    public static partial void LogClient(ILogger logger, string facility, string text);
}
