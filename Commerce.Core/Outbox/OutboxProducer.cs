using System.Diagnostics;
using Commerce.Core.Messaging;
using Confluent.Kafka;

namespace Commerce.Core.Outbox;

/// <summary>
/// The idempotent producer of one relay. After a fatal error, or when delivery reports stop, it is replaced, and everything in flight
/// is discarded. The producer of the Aspire integration is a singleton and cannot be replaced.
/// </summary>
sealed partial class OutboxProducer(IConfiguration configuration, ILogger logger) : IDisposable
{
    /// <summary>The timeout of an acknowledgement.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(3);

    IProducer<string, byte[]>? _producer;

    /// <summary>
    /// Creates the client if there is none. It connects to the brokers and gets its producer id from them, which takes at least half a
    /// second. So the first message need not wait for that.
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
            // The client rejected the message before sending it: it is too large, the queue is full, or the producer has a fatal error.
            report(new() { Error = e.Error });
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            // The client cannot serialise the message. It must not block the others.
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
            // It must be shorter than the message timeout. Otherwise an unknown topic looks like an outage.
            TopicMetadataPropagationMaxMs = 1000,
            // Only the error of a delivery report is read.
            DeliveryReportFields = "none",
        }.ForCommerce(configuration);
        return new ProducerBuilder<string, byte[]>(config).SetLogHandler(logger.ToClientLog()).Build();
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The outbox producer is replaced")]
    static partial void LogRenewed(ILogger logger);
}
