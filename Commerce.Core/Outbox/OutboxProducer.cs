using System.Diagnostics;
using Commerce.Core.Messaging;
using Confluent.Kafka;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace Commerce.Core.Outbox;

/// <summary>
/// The idempotent producer of one relay. It is built here, and not by the Aspire integration, whose producers are singletons: after a fatal
/// error, or when reports stay away, this one is thrown away with all that it holds, and built anew.
/// </summary>
sealed partial class OutboxProducer(IConfiguration configuration, ILogger logger) : IDisposable
{
    /// <summary>A message that is not acknowledged by then has failed.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(3);

    IProducer<string, byte[]>? _producer;

    /// <summary>Hands a message over. <paramref name="report"/> is called once, from any thread; of what it is given only the error counts.</summary>
    public void Send(OutboxRow row, Action<DeliveryReport<string, byte[]>> report)
    {
        var (span, headers) = MessageTrace.StartRelay(row.Topic, row.Traceparent);
        MessageId.Add(headers, row.MessageId);
        if (span is not null) report = Ending(span, report);
        try
        {
            _producer ??= Build();
            _producer.Produce(row.Topic, new Message<string, byte[]> { Key = row.Key, Value = row.Payload, Headers = headers }, report);
        }
        catch (KafkaException e)
        {
            // Refused before it left: too large, the queue is full, or the producer came to its end.
            report(new() { Error = e.Error });
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            // The client cannot even take it: a fault of this message, which must not hold up the others.
            report(new() { Error = new Error(ErrorCode.Local_BadMsg, e.Message) });
        }
    }

    static Action<DeliveryReport<string, byte[]>> Ending(Activity span, Action<DeliveryReport<string, byte[]>> report) => delivery =>
    {
        if (delivery.Error.IsError) span.SetStatus(ActivityStatusCode.Error, delivery.Error.Reason);
        span.Dispose();
        report(delivery);
    };

    /// <summary>Forgets everything that is under way; the next message gets a new producer.</summary>
    public void Renew()
    {
        LogRenewed(logger);
        Dispose();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _producer?.Dispose();
        _producer = null;
    }

    IProducer<string, byte[]> Build()
    {
        var config = new ProducerConfig
        {
            BootstrapServers = configuration.GetConnectionString("kafka"),
            EnableIdempotence = true,
            Acks = Acks.All,
            LingerMs = 1,
            MessageTimeoutMs = (int)Timeout.TotalMilliseconds,
            RequestTimeoutMs = (int)Timeout.TotalMilliseconds - 1000,
            // Less than the message's own time: else an unknown topic looks like a broker that is away.
            TopicMetadataPropagationMaxMs = 1000,
            ReconnectBackoffMaxMs = 1000,
            SocketNagleDisable = true,
            // Of a report only its error is read.
            DeliveryReportFields = "none",
        };
        // Topics are created with their partitions, or not at all.
        config.Set("allow.auto.create.topics", "false");
        return new ProducerBuilder<string, byte[]>(config)
            // That the brokers are away says the relay, once, and not the client, twice a second.
            .SetLogHandler((_, message) => LogClient(logger, message.Facility, message.Message))
            .Build();
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "{Facility}: {Text}")]
    static partial void LogClient(ILogger logger, string facility, string text);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The outbox producer is replaced")]
    static partial void LogRenewed(ILogger logger);
}
