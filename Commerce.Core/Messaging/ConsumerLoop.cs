using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Numerics;
using Confluent.Kafka;

namespace Commerce.Core.Messaging;

/// <summary>
/// Consumes a topic on its own thread: it reads a batch, passes it to the handler, and stores the offsets afterwards. A failure that
/// a message causes (<see cref="MessageFaults"/>) splits the batch (see <see cref="BatchRetry"/>). A message that fails as often as
/// the topic allows becomes a dead letter, and the partition moves on. Any other failure is retried until it ends. The client is
/// replaced in three cases: after a fatal error, after topics were created again (<see cref="TopicWatch"/>), because it would wait
/// for the old leader epochs, and if it has stopped fetching a partition (<see cref="ConsumerWatch"/>).
/// </summary>
public sealed partial class ConsumerLoop<T>(
    string topic, Func<IConsumer<string?, byte[]?>> newConsumer, IMessageHandler<T> handler, DeadLetterProducer deadLetters,
    ConsumerLoopOptions options, ConsumerStates states, ConsumerLag lag, KafkaAdmin admin, TopicWatch topics, TimeProvider clock, ILogger<ConsumerLoop<T>> logger) : IHostedService, IDisposable
{
    static readonly Counter<long> Consumed = CommerceTelemetry.Meter.CreateCounter<long>("commerce.messages.consumed");
    static readonly Counter<long> Retried = CommerceTelemetry.Meter.CreateCounter<long>("commerce.messages.retried");
    static readonly Counter<long> Waited = CommerceTelemetry.Meter.CreateCounter<long>("commerce.messages.waited");
    static readonly Counter<long> Replaced = CommerceTelemetry.Meter.CreateCounter<long>("commerce.consumer.replaced");

    /// <summary>How soon the loop notices a shutdown.</summary>
    static readonly TimeSpan Idle = TimeSpan.FromMilliseconds(500);

    /// <summary>How soon the loop notices that a batch is done while no message arrives.</summary>
    static readonly TimeSpan ReadAhead = TimeSpan.FromMilliseconds(10);

    /// <summary>A client that worked for this long starts again at the first delay after a failure.</summary>
    static readonly TimeSpan Settled = TimeSpan.FromSeconds(30);

    readonly CancellationTokenSource _stopping = new();

    /// <summary>Used by the loop's thread only.</summary>
    readonly ConsumerWatch _watch = new(topic, admin, lag, clock);
    IConsumer<string?, byte[]?>? _consumer;
    Thread? _thread;
    int _topicChanges;

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        // Consume blocks, so it has its own thread instead of a thread of the pool.
        _thread = new Thread(Run) { IsBackground = true, Name = $"consume {topic}" };
        _thread.Start();
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await _stopping.CancelAsync();
        if (_thread is { } thread) await Task.Run(thread.Join, cancellationToken);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // Disposing of a client while its thread still uses it corrupts the memory of the process.
        _stopping.Cancel();
        _thread?.Join();
        _stopping.Dispose();
    }

    void Run()
    {
        var stop = _stopping.Token;
        for (var failures = 0; !stop.IsCancellationRequested;)
        {
            var start = clock.GetTimestamp();
            try
            {
                _topicChanges = topics.Changes;
                _consumer = newConsumer();
                ConsumeAll(stop);
                if (stop.IsCancellationRequested) continue;
                Replaced.Add(1, new KeyValuePair<string, object?>("topic", topic));
                if (_watch.Stalled is { } partition) LogStalled(logger, topic, partition.Partition.Value);
                else LogCreatedAgain(logger, topic);
                End();
            }
            catch (Exception) when (stop.IsCancellationRequested)
            {
                // The next owner of the partition receives the unprocessed messages again.
            }
            catch (Exception e)
            {
                // The next consumer resumes at the stored offsets.
                if (clock.GetElapsedTime(start) > Settled) failures = 0;
                var delay = options.Replacements.Delay(++failures);
                Replaced.Add(1, new KeyValuePair<string, object?>("topic", topic));
                if (IsFatal(e)) LogReplaced(logger, topic, delay.TotalSeconds, e.Message);
                else LogNotMade(logger, topic, delay.TotalSeconds, e);
                states.Waits(topic, e.Message);
                End();
                stop.WaitHandle.WaitOne(delay);
            }
        }

        End();
    }

    /// <summary>Consumes until the process stops or the client must be replaced. Throws only if the client cannot continue.</summary>
    void ConsumeAll(CancellationToken stop)
    {
        for (var failures = 0; !stop.IsCancellationRequested;)
        {
            var start = clock.GetTimestamp();
            try
            {
                _consumer!.Subscribe(topic);
                Consume(stop);
                return;
            }
            catch (Exception e) when (!stop.IsCancellationRequested && !IsFatal(e))
            {
                // A failure of one topic must not stop the others. After subscribing again, the loop resumes at the stored offsets.
                if (clock.GetElapsedTime(start) > Settled) failures = 0;
                var delay = options.Faults.Delay(++failures);
                LogFailed(logger, topic, delay.TotalSeconds, e);
                states.Waits(topic, e.Message);
                stop.WaitHandle.WaitOne(delay);
                _consumer!.Unsubscribe();
            }
        }
    }

    /// <summary>Leaves the group and frees the client. <c>Close</c> throws after a fatal error.</summary>
    void End()
    {
        _watch.Forget();
        if (_consumer is not { } consumer) return;
        _consumer = null;
        try
        {
            consumer.Close();
        }
        catch (Exception e)
        {
            LogNotClosed(logger, topic, e.Message);
        }

        consumer.Dispose();
    }

    void Consume(CancellationToken stop)
    {
        var (batch, next) = (new Batch(options.BatchSize), new Batch(options.BatchSize));
        while (!stop.IsCancellationRequested)
        {
            // The messages of the old topics are processed first. Those of a stalled client are read again by the next consumer.
            if (_watch.Stalled is not null || (batch.Count == 0 && _topicChanges != topics.Changes)) return;
            Gather(batch);
            states.GoesOn(topic);
            _watch.Look(_consumer!, batch.Count, stop);
            if (batch.Count == 0) continue;
            var handling = HandleAsync(batch, stop);
            try
            {
                // The next batch is read while MySQL processes this one.
                while (!handling.IsCompleted && next.Count < options.BatchSize && TryTake(next, ReadAhead)) _watch.Look(_consumer!, batch.Count + next.Count, stop);
                while (Task.WaitAny([handling], Idle) < 0) _watch.Look(_consumer!, batch.Count + next.Count, stop);
            }
            finally
            {
                // Wait for the handler even after a fatal error. The next consumer may receive the same messages and must process them
                // afterwards.
                handling.GetAwaiter().GetResult();
            }

            Store(batch);
            Consumed.Add(batch.Count, new KeyValuePair<string, object?>("topic", topic));
            batch.Clear();
            (batch, next) = (next, batch);
        }
    }

    /// <summary>
    /// Waits for a first message, then briefly for more, because a transaction for many messages costs little more than one for a single
    /// message.
    /// </summary>
    void Gather(Batch batch)
    {
        if (batch.Count == 0 && (!TryTake(batch, Idle) || batch.Count == 0)) return;
        while (batch.Count < options.BatchSize)
        {
            var left = options.Linger - clock.GetElapsedTime(batch.Since);
            var count = batch.Count;
            if (!TryTake(batch, left > TimeSpan.Zero ? left : TimeSpan.Zero) || batch.Count == count) return;
        }
    }

    /// <summary>Reads a message if one arrives in time. Returns false if the client reports an error.</summary>
    bool TryTake(Batch batch, TimeSpan within)
    {
        try
        {
            if (_consumer!.Consume(within) is not { } message)
            {
                _watch.NoteEmpty();
                return true;
            }

            if (batch.Count == 0) batch.Since = clock.GetTimestamp();
            batch.Add(message);
            return true;
        }
        catch (ConsumeException e) when (!IsFatal(e))
        {
            // The brokers are unavailable, or a partition was revoked. The client recovers by itself.
            LogConsume(logger, topic, e.Error.Reason);
            return false;
        }
    }

    /// <summary>
    /// Reads a message. If the handler throws, the message counts as unreadable, because it would otherwise block the partition forever.
    /// </summary>
    string? Read(ConsumeResult<string?, byte[]?> source, out T message)
    {
        try
        {
            return handler.Read(source, out message);
        }
        catch (Exception)
        {
            message = default!;
            return DeadLetterReasons.Unreadable;
        }
    }

    async Task HandleAsync(Batch batch, CancellationToken stop)
    {
        var messages = new List<Received<T>>(batch.Count);
        var sources = new List<ConsumeResult<string?, byte[]?>>(batch.Count);
        foreach (var source in batch)
        {
            if (Read(source, out var message) is { } reason)
            {
                await deadLetters.SendAsync(source, reason, $"{source.Message.Value?.Length ?? 0} bytes", stop);
                continue;
            }

            messages.Add(new(message, source.Partition.Value));
            sources.Add(source);
        }

        if (messages.Count == 0) return;
        var contexts = CommerceTelemetry.Source.HasListeners() ? sources.ConvertAll(s => MessageTrace.ContextOf(s.Message.Headers)) : [];
        using var span = MessageTrace.StartProcess(topic, contexts);
        await BatchRetry.RunAsync(
            messages.Count, options.Retries,
            (first, count) => WaitOutFaultsAsync(() => handler.HandleAsync(count == messages.Count ? messages : messages.GetRange(first, count), stop), stop),
            async (failed, failure) =>
            {
                await deadLetters.SendAsync(sources[failed], DeadLetterReasons.HandlerFailed, failure.Message, stop);
                await WaitOutFaultsAsync(() => handler.OnDeadLetterAsync(messages[failed].Message, stop), stop);
            },
            (attempt, failure) =>
            {
                span?.SetStatus(ActivityStatusCode.Error, failure.Message);
                Retried.Add(1, new KeyValuePair<string, object?>("topic", topic));
                LogRetry(logger, topic, attempt, failure);
            },
            clock, stop);
        MessageTrace.LinkTraces(span, contexts);
    }

    /// <summary>Retries a failure that no message causes until it ends. Skipping the messages would lose them.</summary>
    async Task WaitOutFaultsAsync(Func<Task> work, CancellationToken stop)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await work();
                return;
            }
            catch (Exception e) when (!MessageFaults.Is(e) && !stop.IsCancellationRequested)
            {
                Waited.Add(1, new KeyValuePair<string, object?>("topic", topic));
                states.Waits(topic, e.Message);
                // An outage can last for thousands of attempts. Only attempts 1, 2, 4, 8 … are logged.
                if (BitOperations.IsPow2(attempt))
                {
                    if (TransientFaults.IsTransient(e)) LogWaiting(logger, topic, attempt, e.Message);
                    else LogStuck(logger, topic, attempt, e);
                }

                await Task.Delay(options.Faults.Delay(attempt), clock, stop);
            }
        }
    }

    void Store(Batch batch)
    {
        foreach (var last in batch.GroupBy(m => m.Partition).Select(p => p.Last()))
        {
            try
            {
                _consumer!.StoreOffset(last);
            }
            catch (KafkaException e) when (!IsFatal(e))
            {
                // The partition has moved to another consumer, which receives the messages again.
                LogConsume(logger, topic, e.Error.Reason);
            }
        }
    }

    static bool IsFatal(Exception exception) => exception is KafkaException { Error: { IsFatal: true } or { Code: ErrorCode.Local_Fatal } };

    [LoggerMessage(Level = LogLevel.Warning, Message = "Consuming {Topic}: {Reason}")]
    static partial void LogConsume(ILogger logger, string topic, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Handling {Topic} failed, attempt {Attempt}")]
    static partial void LogRetry(ILogger logger, string topic, int attempt, Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Handling {Topic} paused, dependency unavailable (attempt {Attempt}): {Reason}")]
    static partial void LogWaiting(ILogger logger, string topic, int attempt, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Handling {Topic} waits because of an unexpected failure (attempt {Attempt}): its partition waits until the failure is over")]
    static partial void LogStuck(ILogger logger, string topic, int attempt, Exception exception);

    [LoggerMessage(Level = LogLevel.Error, Message = "Consuming {Topic} failed; subscribing again in {Seconds:F1} s")]
    static partial void LogFailed(ILogger logger, string topic, double seconds, Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Topics were created again; a new consumer of {Topic} replaces the old one")]
    static partial void LogCreatedAgain(ILogger logger, string topic);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The consumer of {Topic} no longer reads partition {Partition}, where messages wait; a new one replaces it")]
    static partial void LogStalled(ILogger logger, string topic, int partition);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The consumer of {Topic} had a fatal error and is replaced in {Seconds:F1} s: {Reason}")]
    static partial void LogReplaced(ILogger logger, string topic, double seconds, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "The consumer of {Topic} cannot be created; next attempt in {Seconds:F1} s")]
    static partial void LogNotMade(ILogger logger, string topic, double seconds, Exception exception);

    [LoggerMessage(Level = LogLevel.Debug, Message = "The consumer of {Topic} did not leave its group: {Reason}")]
    static partial void LogNotClosed(ILogger logger, string topic, string reason);

    /// <summary>Messages that are processed together.</summary>
    sealed class Batch(int limit) : List<ConsumeResult<string?, byte[]?>>(limit)
    {
        /// <summary>The time when the first message arrived.</summary>
        public long Since { get; set; }
    }
}

/// <summary>The options of one topic's consumer.</summary>
public sealed record ConsumerLoopOptions
{
    /// <summary>Maximum number of messages per batch.</summary>
    public int BatchSize { get; init; } = 1000;

    /// <summary>How long a partial batch waits for more after its first message.</summary>
    public TimeSpan Linger { get; init; } = TimeSpan.FromMilliseconds(20);

    /// <summary>
    /// How long the brokers collect messages before they respond to a fetch. With zero, the default, they respond to the first message,
    /// in a rush about a thousand times a second.
    /// </summary>
    public TimeSpan FetchWait { get; init; }

    /// <summary>The number of attempts for a failing message, in batches and alone.</summary>
    public required RetryPolicy Retries { get; init; }

    /// <summary>The waits during an outage. The policy's number of attempts is ignored.</summary>
    public RetryPolicy Faults { get; init; } = new() { BaseDelay = TimeSpan.FromMilliseconds(100), MaxDelay = TimeSpan.FromSeconds(2) };

    /// <summary>The waits before a client with a fatal error is replaced. The policy's number of attempts is ignored.</summary>
    public RetryPolicy Replacements { get; init; } = new() { BaseDelay = TimeSpan.FromSeconds(2), MaxDelay = TimeSpan.FromSeconds(30) };
}
