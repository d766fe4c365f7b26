using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;
using Confluent.Kafka;

namespace Commerce.Core.Messaging;

/// <summary>The reasons of dead letters.</summary>
public static class DeadLetterReasons
{
    /// <summary>The maximum size of a message. The messages of this application are smaller.</summary>
    const int MaxMessageBytes = 64 * 1024;

    /// <summary>Returns the reason to reject a value unread, or null.</summary>
    public static string? Of(byte[]? value) => value switch
    {
        null => Empty,
        { Length: > MaxMessageBytes } => TooLarge,
        _ => null,
    };

    /// <summary>The message has no value.</summary>
    public const string Empty = "EMPTY";
    /// <summary>The message is larger than any message of this application.</summary>
    public const string TooLarge = "TOO_LARGE";
    /// <summary>The value is not JSON, or not a message of the topic.</summary>
    public const string Unreadable = "UNREADABLE";
    /// <summary>The handler failed as often as the topic allows.</summary>
    public const string HandlerFailed = "HANDLER_FAILED";
}

/// <summary>The headers of a dead letter.</summary>
public static class DeadLetterHeaders
{
    public const string Reason = "dlt-reason";
    public const string Detail = "dlt-detail";
    public const string Topic = "dlt-topic";
    public const string Partition = "dlt-partition";
    public const string Offset = "dlt-offset";
    public const string FailedAt = "dlt-failed-at";
}

/// <summary>
/// Publishes messages that cannot be processed to <c>TOPIC.dlt</c>, with the reason in headers. The messages are unchanged, unless
/// they are so large that the brokers would reject them forever with the added headers.
/// </summary>
public sealed partial class DeadLetterProducer(KafkaProducer producer, TimeProvider clock, ILogger<DeadLetterProducer> logger)
{
    static readonly Counter<long> Sent = CommerceTelemetry.Meter.CreateCounter<long>("commerce.dead_letters");
    static readonly RetryPolicy Retries = new() { BaseDelay = TimeSpan.FromMilliseconds(200), MaxDelay = TimeSpan.FromSeconds(5) };

    const int MaxKeptBytes = 512 * 1024;

    const int MaxKeptKeyLength = 1024;

    /// <summary>The maximum size of the headers that are kept. Those of this application take about 200 bytes.</summary>
    const int MaxKeptHeaderBytes = 64 * 1024;

    /// <summary>
    /// Publishes a message and returns when the brokers have it. It retries without limit, because the message must not be lost.
    /// </summary>
    public async Task SendAsync(ConsumeResult<string?, byte[]?> source, string reason, string detail, CancellationToken cancellationToken)
    {
        LogDead(logger, source.Topic, source.Partition.Value, source.Offset.Value, reason, detail);
        var headers = new Headers();
        var kept = 0;
        foreach (var header in source.Message.Headers ?? [])
        {
            var bytes = header.GetValueBytes();
            if ((kept += header.Key.Length + (bytes?.Length ?? 0)) > MaxKeptHeaderBytes) break;
            headers.Add(header.Key, bytes);
        }

        Add(DeadLetterHeaders.Reason, reason);
        Add(DeadLetterHeaders.Detail, detail.Length > 1000 ? detail[..1000] : detail);
        Add(DeadLetterHeaders.Topic, source.Topic);
        Add(DeadLetterHeaders.Partition, source.Partition.Value.ToString(CultureInfo.InvariantCulture));
        Add(DeadLetterHeaders.Offset, source.Offset.Value.ToString(CultureInfo.InvariantCulture));
        Add(DeadLetterHeaders.FailedAt, clock.GetUtcNow().ToString("O", CultureInfo.InvariantCulture));
        var value = source.Message.Value is { Length: > MaxKeptBytes } large ? large[..MaxKeptBytes] : source.Message.Value;
        var key = source.Message.Key is { Length: > MaxKeptKeyLength } overlong ? overlong[..MaxKeptKeyLength] : source.Message.Key;
        var message = new Message<string?, byte[]?> { Key = key, Value = value, Headers = headers };

        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await producer.ProduceAsync(Topics.DeadLetters(source.Topic), message, cancellationToken);
                Sent.Add(1, new("topic", source.Topic), new("reason", reason));
                return;
            }
            catch (ProduceException<string?, byte[]?> e)
            {
                LogRetry(logger, source.Topic, attempt, e.Error.Reason);
                await Task.Delay(Retries.Delay(attempt), clock, cancellationToken);
            }
        }

        void Add(string name, string value) => headers.Add(name, Encoding.UTF8.GetBytes(value));
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Dead letter {Topic} [{Partition}] @{Offset}: {Reason}, {Detail}")]
    static partial void LogDead(ILogger logger, string topic, int partition, long offset, string reason, string detail);

    [LoggerMessage(Level = LogLevel.Warning, Message = "A dead letter of {Topic} cannot be published (attempt {Attempt}): {Reason}")]
    static partial void LogRetry(ILogger logger, string topic, int attempt, string reason);
}
