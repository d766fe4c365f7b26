using Confluent.Kafka;
using Confluent.Kafka.Admin;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Aspire.Confluent.Kafka;

/// <summary>What producers and consumers have in common.</summary>
internal static partial class KafkaComponent
{
    private const string LogCategory = "Aspire.Confluent.Kafka";

    // 10 s by default: a check would go on failing for so long after the broker is back.
    private const int ReconnectMaxMs = 500;

    private static readonly TimeSpan CheckTimeout = TimeSpan.FromSeconds(2);

    public static Action<LogMessage> CreateLog(IServiceProvider services)
    {
        var logger = services.GetRequiredService<ILoggerFactory>().CreateLogger(LogCategory);
        return message =>
        {
            var level = (LogLevel)message.LevelAs(LogLevelType.MicrosoftExtensionsLogging);
            Said(logger, level, message.Facility, message.Message);
        };
    }

    /// <summary>A check through a client of its own: the application may replace its clients after fatal errors.</summary>
    public static void AddKafkaHealthCheck(this IHostApplicationBuilder builder, string name, string? bootstrapServers)
    {
        builder.Services.AddKeyedSingleton(name, (services, _) =>
        {
            var log = CreateLog(services);
            return new AdminClientBuilder(new AdminClientConfig { BootstrapServers = bootstrapServers, ReconnectBackoffMaxMs = ReconnectMaxMs })
                .SetLogHandler((_, message) => log(message)).Build();
        });
        builder.TryAddHealthCheck(name, services =>
        {
            var client = services.GetRequiredKeyedService<IAdminClient>(name);
            return _ => client.DescribeClusterAsync(new DescribeClusterOptions { RequestTimeout = CheckTimeout });
        });
    }

    [LoggerMessage(Message = "{Facility}: {Text}")]
    private static partial void Said(ILogger logger, LogLevel level, string facility, string text);
}
