using System.Diagnostics.Metrics;
using System.Numerics;
using System.Runtime.InteropServices;
using Commerce.Core.Messaging;
using Confluent.Kafka;
using Microsoft.Extensions.Options;

namespace Commerce.Core.Outbox;

/// <summary>
/// Sends the outbox to Kafka: it claims shards, sends their rows and marks them. Any number of processes can run several relays each.
/// An instance is not thread-safe.
/// </summary>
public sealed partial class OutboxRelay(
    OutboxStore outbox, TopicWatch topics, IConfiguration configuration, IOptions<OutboxOptions> options, TimeProvider clock, ILogger<OutboxRelay> logger) : IDisposable
{
    static readonly Counter<long> Sent = CommerceTelemetry.Meter.CreateCounter<long>("commerce.outbox.sent");
    static readonly Counter<long> Refused = CommerceTelemetry.Meter.CreateCounter<long>("commerce.outbox.refused");
    static readonly Counter<long> Died = CommerceTelemetry.Meter.CreateCounter<long>("commerce.outbox.died");
    static readonly Counter<long> Stale = CommerceTelemetry.Meter.CreateCounter<long>("commerce.outbox.stale");
    static readonly Histogram<double> Latency = CommerceTelemetry.Meter.CreateHistogram<double>("commerce.outbox.latency", "s");

    /// <summary>The time reserved for marking the rows, and for the client, which checks for timeouts only once a second.</summary>
    static readonly TimeSpan Margin = TimeSpan.FromSeconds(2);

    /// <summary>
    /// The minimum time between two clients. Each client costs threads and connections, and a series of broker failures must not create
    /// many.
    /// </summary>
    static readonly TimeSpan RenewalDelay = TimeSpan.FromSeconds(2);

    const int ShardsOfBacklog = OutboxWriter.Shards / 4;

    static readonly Counter<long> Held = CommerceTelemetry.Meter.CreateCounter<long>("commerce.outbox.held");

    readonly HeldTopics _held = new(options.Value.Outages, clock);
    readonly OutboxProducer _producer = new(configuration, logger);
    readonly OutboxOptions _options = options.Value;
    int _topicChanges = topics.Changes;

    /// <inheritdoc/>
    public void Dispose() => _producer.Dispose();

    /// <summary>
    /// Sends until this relay has nothing left. Connects to the brokers even if there is nothing to send yet. During an outage of MySQL
    /// or the brokers it waits and retries. A batch that has started is finished after <paramref name="stop"/>.
    /// </summary>
    /// <param name="looksAgain">Whether to poll again after a batch that was not full. Meanwhile other relays skip rows that are
    /// committed into the shards of this relay. False for the relay that every commit wakes.</param>
    /// <param name="onBacklog">Called after a full batch, because there is work for several relays.</param>
    public async Task DrainAsync(CancellationToken stop, bool looksAgain = true, Action? onBacklog = null)
    {
        _producer.Prepare();
        // In these shards every due row waits behind an undelivered row of its key. Polling again at once would change nothing.
        var blocked = new HashSet<int>();
        var limit = OutboxWriter.Shards;
        for (var failures = 0; !stop.IsCancellationRequested;)
        {
            string outage;
            var least = TimeSpan.Zero;
            try
            {
                if (_topicChanges != topics.Changes)
                {
                    _topicChanges = topics.Changes;
                    _producer.Renew();
                }

                var start = clock.GetTimestamp();
                if (await outbox.ClaimAsync(limit, blocked, _options.Lease, stop) is not { } claim) return;

                var rows = await outbox.ListDueAsync(claim, _held.List(), _options.BatchSize, Latency.Enabled, CancellationToken.None);
                if (rows.Count < _options.BatchSize) blocked.UnionWith(claim.Shards.Where(shard => rows.All(r => r.Shard != shard)));
                var batch = await SendAsync(rows, start);
                Checkpoints.Reach(Checkpoints.AfterProduce);
                await MarkAsync(claim, batch);
                NoteHeld(batch);
                if (batch.Outage is null)
                {
                    failures = 0;
                    var isFull = rows.Count >= _options.BatchSize;
                    if (!isFull && !looksAgain) return;
                    // With a backlog, a claim leaves shards to other relays, so that one relay reads while others send or mark.
                    limit = isFull ? ShardsOfBacklog : OutboxWriter.Shards;
                    if (isFull) onBacklog?.Invoke();
                    continue;
                }

                outage = batch.Outage;
                if (batch.IsRenewed) least = RenewalDelay;
            }
            catch (Exception e) when (TransientFaults.IsTransient(e))
            {
                outage = e.Message;
            }

            var delay = _options.Outages.Delay(++failures);
            LogWaiting(logger, failures, outage);
            await Task.Delay(delay < least ? least : delay, clock, stop);
        }
    }

    /// <summary>
    /// Sends the rows. Rows with the same key are sent one after the other, each after the acknowledgement of the previous one.
    /// </summary>
    async Task<Batch> SendAsync(IReadOnlyList<OutboxRow> rows, long start)
    {
        // No row is sent so late that it could be in flight when the lease ends. The lease began after the start.
        var until = _options.Lease - OutboxProducer.Timeout - Margin;
        var chains = new KeyChains(rows, _producer, clock, start, until);
        var broken = false;
        try
        {
            await chains.RunAsync().WaitAsync(until + OutboxProducer.Timeout + TimeSpan.FromSeconds(1), clock);
        }
        catch (TimeoutException)
        {
            broken = true;
        }

        var batch = new Batch(new(rows.Count), []) { Outage = broken ? "the client does not report" : null };
        for (var i = 0; i < rows.Count; i++)
        {
            // Reports that arrive later are ignored.
            if (chains.OutcomeOf(i) is not { } outcome) continue;
            if (!outcome.IsError) batch.Sent.Add(rows[i]);
            else if (MessageFaults.Is(outcome.Code)) batch.Refused.Add((rows[i], outcome.Reason));
            else if (TopicFaults.Is(outcome.Code)) batch.Held[rows[i].Topic] = outcome.Reason;
            else
            {
                batch.Outage ??= outcome.Reason;
                broken |= outcome.IsFatal || outcome.Code == ErrorCode.Local_Fatal;
            }
        }

        if (!broken) return batch;
        _producer.Renew();
        return batch with { IsRenewed = true };
    }

    async Task MarkAsync(OutboxClaim claim, Batch batch)
    {
        var refusals = batch.Refused.ConvertAll(r =>
        {
            var attempt = r.Row.Attempts + 1;
            return new OutboxRefusal(r.Row, r.Error, attempt >= _options.Retries.Attempts, _options.Retries.Delay(attempt));
        });
        var held = await outbox.MarkAsync(claim, batch.Sent, refusals, CancellationToken.None);
        if (held.Count < claim.Shards.Count)
        {
            var stale = batch.Sent.Count(r => !held.Contains(r.Shard));
            Stale.Add(stale);
            LogStale(logger, claim.Shards.Count - held.Count, stale);
        }

        if (Sent.Enabled)
        {
            foreach (var topic in batch.Sent.CountBy(r => r.Topic)) Sent.Add(topic.Value, new KeyValuePair<string, object?>("topic", topic.Key));
        }

        foreach (var (row, error, dead, delay) in refusals.Where(r => held.Contains(r.Row.Shard)))
        {
            var topic = new KeyValuePair<string, object?>("topic", row.Topic);
            Refused.Add(1, topic);
            if (dead)
            {
                Died.Add(1, topic);
                LogDead(logger, row.Id, row.Topic, row.MessageId, row.Attempts + 1, error);
            }
            else
            {
                LogRefused(logger, row.Id, row.Topic, row.MessageId, row.Attempts + 1, delay.TotalSeconds, error);
            }
        }
    }

    /// <summary>
    /// Holds back the messages of topics that reject everything. The waiting messages use up no attempt, and other topics continue.
    /// </summary>
    void NoteHeld(Batch batch)
    {
        foreach (var topic in batch.Sent.Select(r => r.Topic).Distinct().Where(_held.Release)) LogReleased(logger, topic);
        foreach (var (topic, reason) in batch.Held)
        {
            Held.Add(1, new KeyValuePair<string, object?>("topic", topic));
            var (attempt, delay) = _held.Hold(topic);
            if (BitOperations.IsPow2(attempt)) LogHeld(logger, topic, attempt, delay.TotalSeconds, reason);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Topic} rejects all outbox messages (attempt {Attempt}, next in {Seconds:F1} s): {Reason}")]
    static partial void LogHeld(ILogger logger, string topic, int attempt, double seconds, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "{Topic} accepts outbox messages again")]
    static partial void LogReleased(ILogger logger, string topic);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Outbox relay paused, dependency unavailable (attempt {Attempt}): {Reason}")]
    static partial void LogWaiting(ILogger logger, int attempt, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The lease of {Shards} outbox shards expired: {Rows} sent rows are not marked and may be sent again")]
    static partial void LogStale(ILogger logger, int shards, int rows);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Outbox message {Id} ({Topic}, {MessageId}) was rejected (attempt {Attempt}, next in {Seconds:F1} s): {Reason}")]
    static partial void LogRefused(ILogger logger, long id, string topic, string messageId, int attempt, double seconds, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Outbox message {Id} ({Topic}, {MessageId}) is DEAD after {Attempt} attempts: {Reason}")]
    static partial void LogDead(ILogger logger, long id, string topic, string messageId, int attempt, string reason);

    /// <summary>The result of a batch. Rows in neither list are unchanged.</summary>
    sealed record Batch(List<OutboxRow> Sent, List<(OutboxRow Row, string Error)> Refused)
    {
        /// <summary>Topic → the reason why it rejects all messages.</summary>
        public Dictionary<string, string> Held { get; } = [];

        /// <summary>The reason why the brokers count as unavailable, or null.</summary>
        public string? Outage { get; set; }

        /// <summary>Whether the producer had a fatal error.</summary>
        public bool IsRenewed { get; init; }
    }

    /// <summary>
    /// Sends rows as one chain per key: the acknowledgement of a row triggers the next row of its key. A failed row ends its chain, and
    /// the rest of the chain waits for the next batch. Each row has its own slot for the report, so the client's thread and the sending
    /// thread share only the number of open chains.
    /// </summary>
    sealed class KeyChains(IReadOnlyList<OutboxRow> rows, OutboxProducer producer, TimeProvider clock, long start, TimeSpan until)
    {
        readonly Error?[] _outcomes = new Error?[rows.Count];

        /// <summary>The next row with the same key, by row. 0 means none, because row 0 is never the next one.</summary>
        readonly int[] _next = new int[rows.Count];
        readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        int _openChains;

        public Task RunAsync()
        {
            var last = new Dictionary<string, int>(rows.Count, StringComparer.Ordinal);
            var follows = new bool[rows.Count];
            for (var i = 0; i < rows.Count; i++)
            {
                ref var before = ref CollectionsMarshal.GetValueRefOrAddDefault(last, rows[i].Key, out follows[i]);
                if (follows[i]) _next[before] = i;
                before = i;
            }

            _openChains = last.Count;
            if (_openChains == 0) _done.SetResult();
            for (var i = 0; i < rows.Count; i++)
            {
                if (!follows[i]) Send(i);
            }

            return _done.Task;
        }

        public Error? OutcomeOf(int row) => Volatile.Read(ref _outcomes[row]);

        void Send(int row)
        {
            if (clock.GetElapsedTime(start) < until) producer.Send(rows[row], delivery => OnReport(row, delivery.Error));
            else EndChain();
        }

        void OnReport(int row, Error error)
        {
            Volatile.Write(ref _outcomes[row], error);
            if (!error.IsError)
            {
                if (Latency.Enabled)
                    Latency.Record((rows[row].Age / 1e6) + clock.GetElapsedTime(start).TotalSeconds, new KeyValuePair<string, object?>("topic", rows[row].Topic));
                if (_next[row] is not 0 and var next)
                {
                    Send(next);
                    return;
                }
            }

            EndChain();
        }

        void EndChain()
        {
            if (Interlocked.Decrement(ref _openChains) == 0) _done.SetResult();
        }
    }
}
