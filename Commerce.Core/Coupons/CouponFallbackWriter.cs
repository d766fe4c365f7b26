using System.Threading.Channels;
using Commerce.Core.Messaging;

namespace Commerce.Core.Coupons;

/// <summary>
/// Saves acceptances in the database while the brokers are unavailable or could lose them. One transaction saves many of them, and
/// their users get the response after it. So a promise never depends on Redis alone.
/// </summary>
public sealed partial class CouponFallbackWriter(CouponRepository repository, CouponGate gate, TimeProvider clock, ILogger<CouponFallbackWriter> logger) : BackgroundService
{
    const int MaxQueueLength = 10_000;
    const int BatchSize = 500;

    readonly Channel<PendingWrite> _waiting = Channel.CreateBounded<PendingWrite>(new BoundedChannelOptions(MaxQueueLength) { SingleReader = true });

    /// <summary>
    /// Saves an acceptance. Returns false if it is not in the database because the gate was rebuilt, the database is unavailable or busy,
    /// or <paramref name="time"/> has passed.
    /// </summary>
    public async Task<bool> TrySaveAsync(CouponIssued issue, TimeSpan time)
    {
        var waiting = new PendingWrite(issue);
        if (time <= TimeSpan.Zero || !_waiting.Writer.TryWrite(waiting)) return false;
        try
        {
            return await waiting.Saved.Task.WaitAsync(time, clock);
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var batch = new List<PendingWrite>(BatchSize);
        // No new requests arrive after the drain. Waiting requests are completed first.
        using var closing = stoppingToken.Register(() => _waiting.Writer.TryComplete());
        while (await _waiting.Reader.WaitToReadAsync(CancellationToken.None))
        {
            while (batch.Count < BatchSize && _waiting.Reader.TryRead(out var next)) batch.Add(next);
            await SaveAsync(batch);
            batch.Clear();
        }
    }

    async Task SaveAsync(List<PendingWrite> batch)
    {
        HashSet<CouponIssued> refused;
        try
        {
            refused = [.. (await repository.SaveAsync(
                batch.ConvertAll(w => new Received<CouponIssued>(w.Issue, CouponRepository.NoPartition)), CancellationToken.None)).Select(r => r.Issue)];
        }
        catch (Exception e)
        {
            // Whatever failed, the waiting requests get their response, and the next batch may succeed.
            if (!TransientFaults.IsTransient(e)) LogFailed(logger, batch.Count, e);
            foreach (var waiting in batch) waiting.Saved.SetResult(false);
            return;
        }

        foreach (var waiting in batch) waiting.Saved.SetResult(!refused.Contains(waiting.Issue));
        try
        {
            foreach (var coupon in batch.GroupBy(w => w.Issue.CouponId))
                await gate.AcknowledgeAsync(coupon.Key, coupon.Select(w => w.Issue.UserId!));
        }
        catch (Exception e)
        {
            // The sweeper publishes the acceptances again. Saving them again changes nothing.
            if (!TransientFaults.IsTransient(e)) LogNotAcknowledged(logger, e);
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{Count} acceptances cannot be saved")]
    static partial void LogFailed(ILogger logger, int count, Exception exception);

    [LoggerMessage(Level = LogLevel.Error, Message = "Saved acceptances cannot be acknowledged at the gate")]
    static partial void LogNotAcknowledged(ILogger logger, Exception exception);

    sealed record PendingWrite(CouponIssued Issue)
    {
        public TaskCompletionSource<bool> Saved { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
