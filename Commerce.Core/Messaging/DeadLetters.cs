using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;
using Commerce.ServiceDefaults;
using Confluent.Kafka;
using Microsoft.Extensions.Logging;

namespace Commerce.Core.Messaging;

/// <summary>Why a message is a dead letter.</summary>
public static class DeadLetterReasons
{
    /// <summary>A larger message is none of ours.</summary>
    const int MaxMessageBytes = 64 * 1024;

    /// <summary>What is wrong with a value before anybody reads it, or null.</summary>
    public static string? Of(byte[]? value) => value switch
    {
        null => Empty,
        { Length: > MaxMessageBytes } => TooLarge,
        _ => null,
    };

    /// <summary>No value.</summary>
    public const string Empty = "EMPTY";
    /// <summary>More than any message of ours has.</summary>
    public const string TooLarge = "TOO_LARGE";
    /// <summary>Not JSON, or not what the topic carries.</summary>
    public const string Unreadable = "UNREADABLE";
    /// <summary>Handling it failed, and failed again as often as the topic allows.</summary>
    public const string HandlerFailed = "HANDLER_FAILED";
}

/// <summary>The headers of a message in a dead-letter topic.</summary>
public static class DeadLetterHeaders
{
    public const string Reason = "dlt-reason";
    public const string Detail = "dlt-detail";
    public const string Topic = "dlt-topic";
    public const string Partition = "dlt-partition";
    public const string Offset = "dlt-offset";
    public const string FailedAt = "dlt-failed-at";
}

/// <summary>Sends messages that cannot be handled to <c>TOPIC.dlt</c>, as they are, with the reason in headers.</summary>
public sealed partial class DeadLetterProducer(IProducer<string?, byte[]?> producer, TimeProvider clock, ILogger<DeadLetterProducer> logger)
{
    static readonly Counter<long> Sent = CommerceTelemetry.Meter.CreateCounter<long>("commerce.dead_letters");
    static readonly RetryPolicy Retries = new() { BaseDelay = TimeSpan.FromMilliseconds(200), MaxDelay = TimeSpan.FromSeconds(5) };

    const int MaxKeptBytes = 512 * 1024;

    /// <summary>Returns when the brokers have the message: it must not be lost, so it is tried until then.</summary>
    public async Task SendAsync(ConsumeResult<string?, byte[]?> source, string reason, string detail, CancellationToken cancellationToken)
    {
        LogDead(logger, source.Topic, source.Partition.Value, source.Offset.Value, reason, detail);
        var headers = new Headers();
        foreach (var header in source.Message.Headers ?? []) headers.Add(header.Key, header.GetValueBytes());
        Add(DeadLetterHeaders.Reason, reason);
        Add(DeadLetterHeaders.Detail, detail.Length > 1000 ? detail[..1000] : detail);
        Add(DeadLetterHeaders.Topic, source.Topic);
        Add(DeadLetterHeaders.Partition, source.Partition.Value.ToString(CultureInfo.InvariantCulture));
        Add(DeadLetterHeaders.Offset, source.Offset.Value.ToString(CultureInfo.InvariantCulture));
        Add(DeadLetterHeaders.FailedAt, clock.GetUtcNow().ToString("O", CultureInfo.InvariantCulture));
        // With the headers added, a message of the largest size that brokers take would be refused for ever.
        var value = source.Message.Value is { Length: > MaxKeptBytes } large ? large[..MaxKeptBytes] : source.Message.Value;
        var message = new Message<string?, byte[]?> { Key = source.Message.Key, Value = value, Headers = headers };

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
