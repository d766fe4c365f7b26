using Aspire.Confluent.Kafka;
using Confluent.Kafka;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Microsoft.Extensions.Hosting;

/// <summary>Registers Kafka producers. The package's health check and metrics are missing here, so both must be disabled.</summary>
public static class AspireKafkaProducerExtensions
{
    /// <summary>Registers an <see cref="IProducer{TKey,TValue}"/> for ConnectionStrings:<paramref name="connectionName"/>.</summary>
    public static void AddKafkaProducer<TKey, TValue>(
        this IHostApplicationBuilder builder, string connectionName, Action<KafkaProducerSettings>? configureSettings)
    {
        var settings = new KafkaProducerSettings();
        builder.Bind("Producer", connectionName, settings, settings.Config);
        settings.ConnectionString = builder.Configuration.GetConnectionString(connectionName) ?? settings.ConnectionString;
        configureSettings?.Invoke(settings);
        KafkaConnection.Require(settings.DisableHealthChecks, settings.DisableMetrics);
        settings.Config.BootstrapServers = settings.ConnectionString ?? settings.Config.BootstrapServers;
        builder.Services.AddSingleton(services => new ProducerBuilder<TKey, TValue>(settings.Config).SetLogHandler(services.KafkaLog()).Build());
    }
}

static partial class KafkaConnection
{
    public static void Bind(this IHostApplicationBuilder builder, string kind, string name, object settings, ClientConfig config)
    {
        var section = builder.Configuration.GetSection($"Aspire:Confluent:Kafka:{kind}");
        foreach (var part in new[] { section, section.GetSection(name) })
        {
            part.Bind(settings);
            part.GetSection("Config").Bind(config);
        }
    }

    /// <exception cref="NotSupportedException">A requested feature exists only in the package.</exception>
    public static void Require(bool healthChecksDisabled, bool metricsDisabled)
    {
        if (!healthChecksDisabled || !metricsDisabled)
            throw new NotSupportedException("Set DisableHealthChecks and DisableMetrics: this project stands for Aspire.Confluent.Kafka and has neither.");
    }

    public static Action<IClient, LogMessage> KafkaLog(this IServiceProvider services)
    {
        var logger = services.GetRequiredService<ILoggerFactory>().CreateLogger("Aspire.Confluent.Kafka");
        return (_, message) =>
        {
            var level = (LogLevel)message.LevelAs(LogLevelType.MicrosoftExtensionsLogging);
            LogMessage(logger, level, message.Facility, message.Message);
        };
    }

    [LoggerMessage(Message = "{Facility}: {Text}")]
    static partial void LogMessage(ILogger logger, LogLevel level, string facility, string text);
}
