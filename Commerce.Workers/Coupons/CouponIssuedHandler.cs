using Commerce.Core;
using Commerce.Core.Coupons;
using Commerce.Core.Messaging;
using Confluent.Kafka;

namespace Commerce.Workers.Coupons;

/// <summary>Saves acceptances to <c>coupon_issue</c>, many in one transaction, and then acknowledges them at the gate.</summary>
sealed class CouponIssuedHandler(CouponRepository repository, CouponGate gate) : IMessageHandler<CouponIssued>
{
    public static ConsumerLoopOptions Options { get; } = new()
    {
        // A full batch relieves MySQL, Redis and the brokers. An earlier row would gain little, because the user already has a response.
        BatchSize = 4000,
        FetchWait = TimeSpan.FromMilliseconds(100),
        // These are the first attempt and four retries.
        Retries = new() { Attempts = 5, BaseDelay = TimeSpan.FromMilliseconds(50), MaxDelay = TimeSpan.FromSeconds(2) },
    };

    public string? Read(ConsumeResult<string?, byte[]?> source, out CouponIssued message) => CouponIssued.Read(source.Message.Value, out message);

    public async Task HandleAsync(IReadOnlyList<Received<CouponIssued>> batch, CancellationToken cancellationToken)
    {
        var refused = await repository.SaveAsync(batch, cancellationToken);
        Checkpoints.Reach(Checkpoints.AfterCommit);
        // The pending entry of a late acceptance may belong to a newer one whose row is not saved yet.
        var late = refused.Where(r => r.Reason == CouponFailures.TooLate).Select(r => r.Issue).ToHashSet();
        foreach (var coupon in batch.Where(r => !r.Message.IsBarrier && !late.Contains(r.Message)).GroupBy(r => r.Message.CouponId))
            await AcknowledgeAsync(coupon.Key, coupon.Select(r => r.Message.UserId!));
    }

    public async Task OnDeadLetterAsync(CouponIssued message, CancellationToken cancellationToken)
    {
        if (message.IsBarrier) return;
        await repository.RecordDeadLetterAsync(message, cancellationToken);
        // The dead letter keeps the acceptance. The sweeper would only create more dead letters.
        await AcknowledgeAsync(message.CouponId, [message.UserId!]);
    }

    /// <summary>
    /// Removes pending entries. If Redis is unavailable they stay, and the sweeper publishes them again, which changes nothing.
    /// </summary>
    Task AcknowledgeAsync(long couponId, IEnumerable<string> userIds) => TransientFaults.TryAsync(() => gate.AcknowledgeAsync(couponId, userIds));
}
