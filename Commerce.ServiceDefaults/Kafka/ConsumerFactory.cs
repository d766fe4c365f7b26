using Confluent.Kafka;

namespace Commerce.ServiceDefaults;

/// <summary>
/// Creates consumers. A consumer with a fatal error must be replaced, which the singletons of the Aspire integration do not allow.
/// </summary>
public sealed class ConsumerFactory(IConfiguration configuration, ILogger<ConsumerFactory> logger)
{
    /// <summary>The section with settings of every consumer, by the names of Confluent.Kafka. They override the settings here.</summary>
    public const string Section = "Kafka:Consumer";

    /// <summary>
    /// The session timeout in ms. It is the minimum that brokers allow by default. The partitions of a killed process wait for this time.
    /// </summary>
    const int SessionTimeoutMs = 6000;

    /// <summary>
    /// How long a broker holds a fetch for which it has no message, in ms. Kafka responds as soon as it has one. The mock broker always
    /// waits to the end, so half of this time is added to the delay of a message.
    /// </summary>
    const int EmptyFetchMs = 50;

    /// <summary>A response with so many bytes does not wait for more. A rush fills it about ten times a second.</summary>
    const int FullFetchBytes = 256 * 1024;

    /// <summary>
    /// Creates a consumer of the group. It delivers at least once and starts at the first message. Decision 0014 gives the reasons for
    /// its settings.
    /// </summary>
    /// <param name="group">The group.</param>
    /// <param name="fetchWait">How long the brokers collect messages for a response.</param>
    public IConsumer<string?, byte[]?> Create(string group, TimeSpan fetchWait = default)
    {
        var config = new ConsumerConfig
        {
            GroupId = group,
            GroupProtocol = GroupProtocol.Classic,
            SessionTimeoutMs = SessionTimeoutMs,
            HeartbeatIntervalMs = SessionTimeoutMs / 4,
            AutoOffsetReset = AutoOffsetReset.Earliest,
            EnableAutoOffsetStore = false,
            AutoCommitIntervalMs = 1000,
            FetchWaitMaxMs = EmptyFetchMs,
        }.ForCommerce(configuration);
        if (fetchWait > TimeSpan.Zero) (config.FetchMinBytes, config.FetchWaitMaxMs) = (FullFetchBytes, (int)fetchWait.TotalMilliseconds);
        configuration.GetSection(Section).Bind(config);
        // With the newer protocol the brokers choose these settings.
        if (config.GroupProtocol == GroupProtocol.Consumer)
            (config.SessionTimeoutMs, config.HeartbeatIntervalMs) = (null, null);
        return new ConsumerBuilder<string?, byte[]?>(config).SetLogHandler(logger.ToClientLog()).Build();
    }
}
