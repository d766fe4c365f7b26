using System.Diagnostics.Metrics;
using Commerce.Core.Testing;
using Commerce.ServiceDefaults;
using Confluent.Kafka;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Commerce.Core.Outbox;

/// <summary>
/// Brings what waits in the outbox to Kafka: claims shards, sends their rows, marks them. Several may run, here and elsewhere; one of them
/// is used by one caller at a time.
/// </summary>
public sealed partial class OutboxRelay(
    OutboxStore outbox, IConfiguration configuration, IOptions<OutboxOptions> options, Failpoints failpoints, TimeProvider clock, ILogger<OutboxRelay> logger) : IDisposable
{
    static readonly Counter<long> Sent = CommerceTelemetry.Meter.CreateCounter<long>("commerce.outbox.sent");
    static readonly Counter<long> Refused = CommerceTelemetry.Meter.CreateCounter<long>("commerce.outbox.refused");
    static readonly Counter<long> Died = CommerceTelemetry.Meter.CreateCounter<long>("commerce.outbox.died");
    static readonly Counter<long> Stale = CommerceTelemetry.Meter.CreateCounter<long>("commerce.outbox.stale");
    static readonly Histogram<double> Latency = CommerceTelemetry.Meter.CreateHistogram<double>("commerce.outbox.latency", "s");

    /// <summary>The client looks for messages whose time is over once a second, and the mark has to be made as well.</summary>
    static readonly TimeSpan Margin = TimeSpan.FromSeconds(2);

    readonly OutboxProducer _producer = new(configuration, logger);
    readonly OutboxOptions _options = options.Value;

    /// <inheritdoc/>
    public void Dispose() => _producer.Dispose();

    /// <summary>
    /// Sends until nothing is left that this relay may send. While MySQL or the brokers are away it waits and tries again. A batch that was
    /// begun is finished when <paramref name="stop"/> says to end.
    /// </summary>
    public async Task DrainAsync(CancellationToken stop)
    {
        // Where every due row is behind one of its key that waits, looking again at once would change nothing.
        var fruitless = new HashSet<int>();
        for (var failures = 0; !stop.IsCancellationRequested;)
        {
            string away;
            try
            {
                var due = (await outbox.ListDueShardsAsync(stop)).Where(shard => !fruitless.Contains(shard)).ToList();
                if (due.Count == 0) return;
                var start = clock.GetTimestamp();
                if (await outbox.ClaimAsync(due, _options.Lease, stop) is not { } claim) return;

                var rows = await outbox.ListDueAsync(claim, _options.RowsTogether, CancellationToken.None);
                if (rows.Count < _options.RowsTogether) fruitless.UnionWith(claim.Shards.Where(shard => rows.All(r => r.Shard != shard)));
                var batch = await SendAsync(rows, start);
                failpoints.Reach(Failpoints.AfterProduce);
                await MarkAsync(claim, batch);
                if (batch.Away is null)
                {
                    failures = 0;
                    continue;
                }

                away = batch.Away;
            }
            catch (Exception e) when (DependencyFaults.Is(e))
            {
                away = e.Message;
            }

            var delay = _options.Outages.Delay(++failures);
            LogWaiting(logger, failures, away);
            await Task.Delay(delay, clock, stop);
        }
    }

    /// <summary>Sends the rows; those of one key one after the other, each when the brokers have the one before.</summary>
    async Task<Batch> SendAsync(IReadOnlyList<OutboxRow> rows, long start)
    {
        // Nothing leaves so late that it could still be under way when the claim ends. The claim was made after the start.
        var until = _options.Lease - OutboxProducer.Timeout - Margin;
        var batch = new Batch();
        var chains = rows.GroupBy(r => r.Key, StringComparer.Ordinal).Select(g => g.GetEnumerator()).ToList();
        var open = chains.Count;
        if (open == 0) return batch;
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        foreach (var chain in chains) Next(chain);
        try
        {
            await done.Task.WaitAsync(until + OutboxProducer.Timeout + TimeSpan.FromSeconds(1), clock);
        }
        catch (TimeoutException)
        {
            batch.Fail("the client does not report", broken: true);
        }

        batch.Close();
        if (batch.Broken) _producer.Renew();
        return batch;

        void Next(IEnumerator<OutboxRow> chain)
        {
            if (clock.GetElapsedTime(start) < until && chain.MoveNext()) _producer.Send(chain.Current, error => Reported(chain, error));
            else if (Interlocked.Decrement(ref open) == 0) done.SetResult();
        }

        void Reported(IEnumerator<OutboxRow> chain, Error error)
        {
            var row = chain.Current;
            if (!error.IsError)
            {
                batch.Add(row);
                Latency.Record((row.Age / 1e6) + clock.GetElapsedTime(start).TotalSeconds, new KeyValuePair<string, object?>("topic", row.Topic));
                Next(chain);
                return;
            }

            if (IsOfMessage(error)) batch.Refuse(row, error.Reason);
            else batch.Fail(error.Reason, broken: error.IsFatal || error.Code == ErrorCode.Local_Fatal);
            // What follows under this key waits for the next batch.
            if (Interlocked.Decrement(ref open) == 0) done.SetResult();
        }
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
            var stale = batch.Sent.Count(r => !held.Contains((int)r.Shard));
            Stale.Add(stale);
            LogStale(logger, claim.Shards.Count - held.Count, stale);
        }

        foreach (var topic in batch.Sent.CountBy(r => r.Topic)) Sent.Add(topic.Value, new KeyValuePair<string, object?>("topic", topic.Key));
        foreach (var (row, error, dead, delay) in refusals.Where(r => held.Contains((int)r.Row.Shard)))
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

    /// <summary>Whether this message alone is refused. Anything else is taken for an outage, which is no fault of a message.</summary>
    static bool IsOfMessage(Error error) => error.Code is ErrorCode.MsgSizeTooLarge or ErrorCode.RecordListTooLarge or ErrorCode.InvalidMsg
        or ErrorCode.InvalidMsgSize or ErrorCode.InvalidRecord or ErrorCode.InvalidTimestamp or ErrorCode.PolicyViolation or ErrorCode.TopicException
        or ErrorCode.UnknownTopicOrPart or ErrorCode.TopicAuthorizationFailed or ErrorCode.Local_UnknownTopic or ErrorCode.Local_UnknownPartition
        or ErrorCode.Local_InvalidArg or ErrorCode.Local_BadMsg;

    [LoggerMessage(Level = LogLevel.Warning, Message = "Sending the outbox waits (attempt {Attempt}): {Reason}")]
    static partial void LogWaiting(ILogger logger, int attempt, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Came too late with {Shards} shards of the outbox: {Rows} rows that were sent are not marked and may be sent again")]
    static partial void LogStale(ILogger logger, int shards, int rows);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Outbox message {Id} ({Topic}, {MessageId}) is refused, attempt {Attempt}, the next in {Seconds:F1} s: {Reason}")]
    static partial void LogRefused(ILogger logger, long id, string topic, string messageId, int attempt, double seconds, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Outbox message {Id} ({Topic}, {MessageId}) is DEAD after {Attempt} attempts: {Reason}")]
    static partial void LogDead(ILogger logger, long id, string topic, string messageId, int attempt, string reason);

    /// <summary>What became of the rows that were sent together; reports come from the client's thread.</summary>
    sealed class Batch
    {
        readonly Lock _lock = new();
        bool _closed;

        public List<OutboxRow> Sent { get; } = [];

        public List<(OutboxRow Row, string Error)> Refused { get; } = [];

        /// <summary>Why the brokers count as away; null where they do not.</summary>
        public string? Away { get; private set; }

        /// <summary>Whether the producer is of no more use.</summary>
        public bool Broken { get; private set; }

        public void Add(OutboxRow row)
        {
            lock (_lock)
                if (!_closed) Sent.Add(row);
        }

        public void Refuse(OutboxRow row, string error)
        {
            lock (_lock)
                if (!_closed) Refused.Add((row, error));
        }

        public void Fail(string reason, bool broken = false)
        {
            lock (_lock)
            {
                if (_closed) return;
                Away ??= reason;
                Broken |= broken;
            }
        }

        /// <summary>What is reported from now on is not counted.</summary>
        public void Close()
        {
            lock (_lock) _closed = true;
        }
    }
}
