using Confluent.Kafka;

namespace Commerce.ServiceDefaults;

/// <summary>Settings that all Kafka clients share: producers, consumers and admin clients.</summary>
public static class KafkaClientExtensions
{
    /// <summary>
    /// The section with settings of every client, by the names of Confluent.Kafka, such as <c>SecurityProtocol</c> (<c>SaslSsl</c>),
    /// <c>SaslMechanism</c> (<c>ScramSha512</c>, <c>Plain</c>), <c>SaslUsername</c>, <c>SaslPassword</c> and <c>SslCaLocation</c>.
    /// </summary>
    public const string Section = "Kafka:Client";

    /// <summary>The maximum reconnect delay in ms. With the default a client reconnects up to 10 s after the brokers are back.</summary>
    const int MaxReconnectBackoffMs = 1000;

    /// <summary>
    /// The metadata interval in ms. With the default a client notices new partitions after up to 5 min, and their messages wait.
    /// </summary>
    const int MetadataRefreshMs = 2000;

    /// <summary>Sets the addresses of the brokers and the settings of the connection. <see cref="Section"/> overrides them.</summary>
    public static T ForCommerce<T>(this T config, IConfiguration configuration) where T : ClientConfig
    {
        config.BootstrapServers = configuration.GetConnectionString("kafka");
        config.ReconnectBackoffMaxMs = MaxReconnectBackoffMs;
        config.TopicMetadataRefreshIntervalMs = MetadataRefreshMs;
        // By default, a client that has lost all brokers starts again from the configured addresses at each attempt, with a thread for
        // each. This took 40 to 100 threads per second. It only helps if all brokers have moved to other addresses, and then a restart
        // helps as well.
        config.MetadataRecoveryStrategy = MetadataRecoveryStrategy.None;
        config.SocketNagleDisable = true;
        // A topic that a broker creates on demand has only one partition.
        config.AllowAutoCreateTopics = false;
        configuration.GetSection(Section).Bind(config);
        return config;
    }

    /// <summary>
    /// Forwards the client's log at level Debug. The users of the client log an outage once, librdkafka would log it twice a second.
    /// </summary>
    public static Action<IClient, LogMessage> ToClientLog(this ILogger logger) => (_, message) => KafkaClientLog.LogClient(logger, message.Facility, message.Message);
}

static partial class KafkaClientLog
{
    [LoggerMessage(Level = LogLevel.Debug, Message = "{Facility}: {Text}")]
    public static partial void LogClient(ILogger logger, string facility, string text);
}
