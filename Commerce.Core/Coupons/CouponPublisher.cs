using System.Diagnostics.Metrics;
using Commerce.Core.Messaging;
using Confluent.Kafka;

namespace Commerce.Core.Coupons;

/// <summary>
/// Publishes acceptances to <c>COUPON_ISSUED</c>. After a failure, calls fail at once instead of waiting for their deadline.
/// </summary>
public sealed partial class CouponPublisher(KafkaProducer producer, TimeProvider clock, ILogger<CouponPublisher> logger)
{
    static readonly Counter<long> Failed = CommerceTelemetry.Meter.CreateCounter<long>("commerce.coupons.publish.failed");

    /// <summary>The timeout of an acknowledgement. The producer enforces it within a second.</summary>
    public static TimeSpan Deadline { get; } = TimeSpan.FromMilliseconds(ConnectionExtensions.ProduceTimeoutMs);

    /// <summary>After a failure, one message per interval probes the brokers. All others fail at once.</summary>
    static readonly TimeSpan ProbeInterval = TimeSpan.FromSeconds(1);

    long _failedAt = long.MinValue;

    /// <summary>Publishes an acceptance. Returns true if the brokers have it.</summary>
    public async Task<bool> TryPublishAsync(CouponIssued issue)
    {
        if (!MayTry()) return false;
        var (span, headers) = MessageTrace.StartPublish(Topics.CouponIssued);
        using (span)
        {
            try
            {
                // The order of these messages does not matter. Without a key, the producer fills a batch for one partition at a time. This
                // takes a quarter of the produce requests that spreading each batch over the partitions would take.
                await producer.ProduceAsync(Topics.CouponIssued, new Message<string?, byte[]?>
                {
                    Value = issue.ToBytes(),
                    Headers = headers,
                });
                if (Volatile.Read(ref _failedAt) != long.MinValue) Volatile.Write(ref _failedAt, long.MinValue);
                return true;
            }
            catch (ProduceException<string?, byte[]?> e)
            {
                Failed.Add(1);
                if (Interlocked.Exchange(ref _failedAt, clock.GetTimestamp()) == long.MinValue) LogAway(logger, e.Message);
                return false;
            }
        }
    }

    /// <summary>Publishes the barrier of a rebuild to every partition.</summary>
    /// <exception cref="KafkaException">The brokers do not have all barriers.</exception>
    public async Task PublishBarriersAsync(long couponId, int epoch, IEnumerable<int> partitions)
    {
        var message = new Message<string?, byte[]?> { Value = new CouponIssued(couponId, epoch, IsBarrier: true).ToBytes() };
        await Task.WhenAll(partitions.Select(p => producer.ProduceAsync(new TopicPartition(Topics.CouponIssued, p), message)));
    }

    bool MayTry()
    {
        var failedAt = Volatile.Read(ref _failedAt);
        return failedAt == long.MinValue
            || (clock.GetElapsedTime(failedAt) >= ProbeInterval
                && Interlocked.CompareExchange(ref _failedAt, clock.GetTimestamp(), failedAt) == failedAt);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "COUPON_ISSUED is not acknowledged, acceptances are saved to MySQL directly: {Reason}")]
    static partial void LogAway(ILogger logger, string reason);
}
