using Aspire;
using Aspire.Confluent.Kafka;
using Confluent.Kafka;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.Extensions.Hosting;

public static class AspireKafkaConsumerExtensions
{
    private const string Section = "Aspire:Confluent:Kafka:Consumer";

    // KafkaBroker answers an empty fetch only when this time is over, even when messages arrive meanwhile. Real brokers do not.
    private const int FetchWaitMs = 10;

    private const string HealthCheck = "Aspire.Confluent.Kafka.Consumer";

    /// <summary>
    /// Registers a singleton <see cref="IConsumer{TKey,TValue}"/> for ConnectionStrings:<paramref name="connectionName"/> and the
    /// health check "Aspire.Confluent.Kafka.Consumer".
    /// </summary>
    /// <exception cref="InvalidOperationException">When the consumer is first asked for: bootstrap servers or the group id are missing.</exception>
    public static void AddKafkaConsumer<TKey, TValue>(
        this IHostApplicationBuilder builder,
        string connectionName,
        Action<KafkaConsumerSettings>? configureSettings = null,
        Action<IServiceProvider, ConsumerBuilder<TKey, TValue>>? configureBuilder = null) =>
        Add(builder, connectionName, serviceKey: null, configureSettings, configureBuilder);

    /// <inheritdoc cref="AddKafkaConsumer{TKey,TValue}(IHostApplicationBuilder,string,Action{KafkaConsumerSettings},Action{IServiceProvider,ConsumerBuilder{TKey,TValue}})"/>
    public static void AddKafkaConsumer<TKey, TValue>(
        this IHostApplicationBuilder builder,
        string connectionName,
        Action<KafkaConsumerSettings>? configureSettings,
        Action<ConsumerBuilder<TKey, TValue>> configureBuilder) =>
        Add<TKey, TValue>(builder, connectionName, serviceKey: null, configureSettings, (_, kafka) => configureBuilder(kafka));

    /// <summary>The same as a keyed service; the key is <paramref name="name"/>, which is added to the health check's name after "_".</summary>
    public static void AddKeyedKafkaConsumer<TKey, TValue>(
        this IHostApplicationBuilder builder,
        string name,
        Action<KafkaConsumerSettings>? configureSettings = null,
        Action<IServiceProvider, ConsumerBuilder<TKey, TValue>>? configureBuilder = null) =>
        Add(builder, name, serviceKey: name, configureSettings, configureBuilder);

    private static void Add<TKey, TValue>(
        IHostApplicationBuilder builder,
        string name,
        string? serviceKey,
        Action<KafkaConsumerSettings>? configureSettings,
        Action<IServiceProvider, ConsumerBuilder<TKey, TValue>>? configureBuilder)
    {
        var settings = builder.BindSettings<KafkaConsumerSettings>(Section, name);
        builder.Configuration.GetSection(Section).GetSection("Config").Bind(settings.Config);
        builder.Configuration.GetSection(Section).GetSection(name).GetSection("Config").Bind(settings.Config);
        configureSettings?.Invoke(settings);
        settings.Config.BootstrapServers = settings.ConnectionString ?? settings.Config.BootstrapServers;
        settings.Config.FetchWaitMaxMs ??= FetchWaitMs;
        settings.Config.GroupProtocol ??= GroupProtocol.Consumer; // the older one stops the whole group for seconds on KafkaBroker

        builder.Services.AddKeyedSingleton(serviceKey, (services, _) =>
        {
            if (string.IsNullOrEmpty(settings.Config.BootstrapServers))
                throw new InvalidOperationException("No bootstrap servers configured.");
            if (settings.Config.GroupId is null)
                throw new InvalidOperationException("No group id configured.");
            var log = KafkaComponent.CreateLog(services);
            var kafka = new ConsumerBuilder<TKey, TValue>(settings.Config);
            configureBuilder?.Invoke(services, kafka);
            try
            {
                kafka.SetLogHandler((_, message) => log(message));
            }
            catch (InvalidOperationException)
            {
                // The application has set one.
            }

            return kafka.Build();
        });
        if (!settings.DisableHealthChecks)
            builder.AddKafkaHealthCheck(serviceKey is null ? HealthCheck : $"{HealthCheck}_{name}", settings.Config.BootstrapServers);
    }
}
