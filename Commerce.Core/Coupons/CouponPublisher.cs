using System.Diagnostics.Metrics;
using Commerce.Core.Messaging;
using Commerce.ServiceDefaults;
using Confluent.Kafka;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Commerce.Core.Coupons;

/// <summary>Brings acceptances to <c>COUPON_ISSUED</c>. While the brokers do not answer it says so at once instead of after the deadline.</summary>
public sealed partial class CouponPublisher(IProducer<string?, byte[]?> producer, TimeProvider clock, ILogger<CouponPublisher> logger)
{
    static readonly Counter<long> Failed = CommerceTelemetry.Meter.CreateCounter<long>("commerce.coupons.publish.failed");

    /// <summary>The brokers have this long to acknowledge: the producer's own time limit, which it keeps within a second.</summary>
    public static TimeSpan Deadline { get; } = TimeSpan.FromMilliseconds(ConnectionExtensions.ProduceTimeoutMs);

    /// <summary>After a failure nobody else waits for the deadline; one message in this time finds out whether the brokers are back.</summary>
    static readonly TimeSpan ProbeInterval = TimeSpan.FromSeconds(1);

    long _failedAt = long.MinValue;

    /// <summary>True when the brokers have the message.</summary>
    public async Task<bool> TryPublishAsync(CouponIssued issue)
    {
        if (!MayTry()) return false;
        var (span, headers) = MessageTrace.StartPublish(Topics.CouponIssued);
        using (span)
        {
            try
            {
                // The order of a coupon's messages does not matter. Without a key the producer fills a batch for one partition, then one for
                // the next: a quarter of the requests to the brokers that spreading every batch over all of them would make.
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

    /// <summary>Publishes to every partition the marker that the gate of this epoch waits for.</summary>
    /// <exception cref="KafkaException">The brokers do not have all of them.</exception>
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
