using Confluent.Kafka;

namespace Commerce.ServiceDefaults;

/// <summary>
/// Creates consumers. The Aspire integration's consumers are singletons, but one with a fatal error must be replaced.
/// </summary>
public sealed class ConsumerFactory(IConfiguration configuration, ILogger<ConsumerFactory> logger)
{
    /// <summary>Settings of every consumer by the names of Confluent.Kafka; they override those here.</summary>
    public const string Section = "Kafka:Consumer";

    /// <summary>In ms; the minimum that brokers allow by default. The partitions of a killed process wait for this time.</summary>
    const int SessionTimeoutMs = 6000;

    /// <summary>Creates a consumer of the group: at least once, from the first message on. Decision 0014 gives the reasons for its settings.</summary>
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
        // With the newer protocol the brokers choose these.
        if (config.GroupProtocol == GroupProtocol.Consumer)
            (config.SessionTimeoutMs, config.HeartbeatIntervalMs) = (null, null);
        return new ConsumerBuilder<string?, byte[]?>(config).SetLogHandler(logger.ToClientLog()).Build();
    }
}
