using System.Diagnostics;
using Commerce.Core.Messaging;
using Confluent.Kafka;

namespace Commerce.Core.Outbox;

/// <summary>
/// The idempotent producer of one relay. It is not the producer of the Aspire integration, which is a singleton: after a fatal error, or when
/// delivery reports stop, this one is discarded with everything in flight and replaced.
/// </summary>
sealed partial class OutboxProducer(IConfiguration configuration, ILogger logger) : IDisposable
{
    /// <summary>The timeout of an acknowledgement.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(3);

    IProducer<string, byte[]>? _producer;

    /// <summary>
    /// Makes the client, unless it is there. It connects and gets its id from the brokers, which takes half a second and more. The first message need not
    /// wait for that.
    /// </summary>
    public void Prepare() => _producer ??= Build();

    /// <summary>Sends a message. <paramref name="report"/> is called once, on any thread. Only its error is set.</summary>
    public void Send(OutboxRow row, Action<DeliveryReport<string, byte[]>> report)
    {
        var (span, headers) = MessageTrace.StartRelay(row.Topic, row.Traceparent);
        MessageId.Add(headers, row.MessageId);
        if (span is not null) report = Ending(span, report);
        try
        {
            Prepare();
            _producer!.Produce(row.Topic, new Message<string, byte[]> { Key = row.Key, Value = row.Payload, Headers = headers }, report);
        }
        catch (KafkaException e)
        {
            // Rejected before sending: too large, queue full, or a fatal error of the producer.
            report(new() { Error = e.Error });
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            // The client cannot serialise it. The fault of one message must not block the others.
            report(new() { Error = new Error(ErrorCode.Local_BadMsg, e.Message) });
        }
    }

    static Action<DeliveryReport<string, byte[]>> Ending(Activity span, Action<DeliveryReport<string, byte[]>> report) => delivery =>
    {
        if (delivery.Error.IsError) span.SetStatus(ActivityStatusCode.Error, delivery.Error.Reason);
        span.Dispose();
        report(delivery);
    };

    /// <summary>Discards everything in flight. The next message gets a new producer.</summary>
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
            EnableIdempotence = true,
            Acks = Acks.All,
            LingerMs = 1,
            MessageTimeoutMs = (int)Timeout.TotalMilliseconds,
            RequestTimeoutMs = (int)Timeout.TotalMilliseconds - 1000,
            // Shorter than the message timeout. Otherwise an unknown topic looks like an outage.
            TopicMetadataPropagationMaxMs = 1000,
            // Only the error of a report is read.
            DeliveryReportFields = "none",
        }.ForCommerce(configuration);
        return new ProducerBuilder<string, byte[]>(config).SetLogHandler(logger.ToClientLog()).Build();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The outbox producer is replaced")]
    static partial void LogRenewed(ILogger logger);
}
