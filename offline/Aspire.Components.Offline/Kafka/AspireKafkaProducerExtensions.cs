using Aspire;
using Aspire.Confluent.Kafka;
using Confluent.Kafka;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.Extensions.Hosting;

public static class AspireKafkaProducerExtensions
{
    private const string Section = "Aspire:Confluent:Kafka:Producer";
    private const string HealthCheck = "Aspire.Confluent.Kafka.Producer";

    /// <summary>
    /// Registers a singleton <see cref="IProducer{TKey,TValue}"/> for ConnectionStrings:<paramref name="connectionName"/> and the
    /// health check "Aspire.Confluent.Kafka.Producer".
    /// </summary>
    /// <exception cref="InvalidOperationException">When the producer is first asked for: no bootstrap servers are configured.</exception>
    public static void AddKafkaProducer<TKey, TValue>(
        this IHostApplicationBuilder builder,
        string connectionName,
        Action<KafkaProducerSettings>? configureSettings = null,
        Action<IServiceProvider, ProducerBuilder<TKey, TValue>>? configureBuilder = null) =>
        Add(builder, connectionName, configureSettings, configureBuilder);

    /// <inheritdoc cref="AddKafkaProducer{TKey,TValue}(IHostApplicationBuilder,string,Action{KafkaProducerSettings},Action{IServiceProvider,ProducerBuilder{TKey,TValue}})"/>
    public static void AddKafkaProducer<TKey, TValue>(
        this IHostApplicationBuilder builder,
        string connectionName,
        Action<KafkaProducerSettings>? configureSettings,
        Action<ProducerBuilder<TKey, TValue>> configureBuilder) =>
        Add<TKey, TValue>(builder, connectionName, configureSettings, (_, kafka) => configureBuilder(kafka));

    private static void Add<TKey, TValue>(
        IHostApplicationBuilder builder,
        string name,
        Action<KafkaProducerSettings>? configureSettings,
        Action<IServiceProvider, ProducerBuilder<TKey, TValue>>? configureBuilder)
    {
        var settings = builder.BindSettings<KafkaProducerSettings>(Section, name);
        builder.Configuration.GetSection(Section).GetSection("Config").Bind(settings.Config);
        builder.Configuration.GetSection(Section).GetSection(name).GetSection("Config").Bind(settings.Config);
        configureSettings?.Invoke(settings);
        settings.Config.BootstrapServers = settings.ConnectionString ?? settings.Config.BootstrapServers;

        builder.Services.AddSingleton(services =>
        {
            if (string.IsNullOrEmpty(settings.Config.BootstrapServers))
                throw new InvalidOperationException("No bootstrap servers configured.");
            var log = KafkaComponent.CreateLog(services);
            var kafka = new ProducerBuilder<TKey, TValue>(settings.Config);
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
            builder.AddKafkaHealthCheck(HealthCheck, settings.Config.BootstrapServers);
    }
}
