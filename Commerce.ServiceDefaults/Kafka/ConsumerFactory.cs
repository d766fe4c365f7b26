using Confluent.Kafka;

namespace Commerce.ServiceDefaults;

/// <summary>
/// Makes consumers. Not the Aspire integration, whose consumers are singletons: one with a fatal error is replaced by a new one.
/// </summary>
public sealed class ConsumerFactory(IConfiguration configuration, ILogger<ConsumerFactory> logger)
{
    /// <summary>Settings of every consumer by the names of Confluent.Kafka; they win over those here.</summary>
    public const string Section = "Kafka:Consumer";

    /// <summary>In ms, the least that brokers allow by default: the partitions of a process that was killed wait for so long.</summary>
    const int SessionTimeoutMs = 6000;

    /// <summary>Makes a consumer of the group: at least once, from the first message on. Decision 0014 tells why its settings are as they are.</summary>
    public IConsumer<string?, byte[]?> Create(string group)
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
        }.ForCommerce(configuration);
        configuration.GetSection(Section).Bind(config);
        // With the newer protocol the brokers decide on these.
        if (config.GroupProtocol == GroupProtocol.Consumer)
            (config.SessionTimeoutMs, config.HeartbeatIntervalMs) = (null, null);
        return new ConsumerBuilder<string?, byte[]?>(config).SetLogHandler(logger.ToClientLog()).Build();
    }
}
