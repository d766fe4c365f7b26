using System.Diagnostics;
using System.Diagnostics.Metrics;
using Confluent.Kafka;

namespace Commerce.Core.Messaging;

/// <summary>
/// The consumer loop: reads batches of a topic on its own thread, passes them to the handler, and stores the offsets afterwards. Transient faults are
/// waited out. After other failures the batch is divided (see <see cref="BatchRetry"/>). A message that fails as often as the topic allows becomes a
/// dead letter, and the partition moves on.
/// </summary>
public sealed partial class ConsumerLoop<T>(
    string topic, IConsumer<string?, byte[]?> consumer, IMessageHandler<T> handler, DeadLetterProducer deadLetters,
    ConsumerLoopOptions options, TimeProvider clock, IHostApplicationLifetime lifetime, ILogger<ConsumerLoop<T>> logger) : IHostedService, IDisposable
{
    static readonly Counter<long> Consumed = CommerceTelemetry.Meter.CreateCounter<long>("commerce.messages.consumed");
    static readonly Counter<long> Retried = CommerceTelemetry.Meter.CreateCounter<long>("commerce.messages.retried");

    /// <summary>How soon the loop notices a shutdown.</summary>
    static readonly TimeSpan Idle = TimeSpan.FromMilliseconds(500);

    /// <summary>How soon the loop notices that a batch is done while no message arrives.</summary>
    static readonly TimeSpan ReadAhead = TimeSpan.FromMilliseconds(10);

    readonly CancellationTokenSource _stopping = new();
    Thread? _thread;

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        // Consume blocks, so it has its own thread instead of one of the pool.
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
        // A client that is disposed of while its thread still uses it corrupts the memory of the process.
        _stopping.Cancel();
        _thread?.Join();
        _stopping.Dispose();
    }

    void Run()
    {
        var stop = _stopping.Token;
        for (var failures = 0; !stop.IsCancellationRequested;)
        {
            consumer.Subscribe(topic);
            try
            {
                Consume(stop);
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                // Unhandled messages are delivered again, to the next owner of the partition.
            }
            catch (KafkaException e) when (e.Error.IsFatal)
            {
                // This client is finished, and the process has no other.
                LogEnded(logger, topic, e);
                lifetime.StopApplication();
                break;
            }
            catch (Exception e)
            {
                // One topic must not stop the others. After subscribing again, the loop resumes at the stored offsets.
                var delay = options.Faults.Delay(++failures);
                LogFailed(logger, topic, delay.TotalSeconds, e);
                stop.WaitHandle.WaitOne(delay);
                consumer.Unsubscribe();
            }
        }

        consumer.Close();
    }

    void Consume(CancellationToken stop)
    {
        var (batch, next) = (new Batch(options.BatchSize), new Batch(options.BatchSize));
        while (!stop.IsCancellationRequested)
        {
            Gather(batch, stop);
            if (batch.Count == 0) continue;
            var handling = HandleAsync(batch, stop);
            // While MySQL handles this batch, the next one is read.
            while (!handling.IsCompleted && next.Count < options.BatchSize && TryTake(next, ReadAhead)) { }
            handling.GetAwaiter().GetResult();
            Store(batch);
            Consumed.Add(batch.Count, new KeyValuePair<string, object?>("topic", topic));
            batch.Clear();
            (batch, next) = (next, batch);
        }
    }

    /// <summary>Waits for a first message, then briefly for more: a transaction for many costs little more than for one.</summary>
    void Gather(Batch batch, CancellationToken stop)
    {
        while (batch.Count == 0 && !stop.IsCancellationRequested)
            if (!TryTake(batch, Idle)) return;
        while (batch.Count < options.BatchSize)
        {
            var left = options.Linger - clock.GetElapsedTime(batch.Since);
            var count = batch.Count;
            if (!TryTake(batch, left > TimeSpan.Zero ? left : TimeSpan.Zero) || batch.Count == count) return;
        }
    }

    /// <summary>Reads a message if one arrives in time. False if the client reports an error.</summary>
    bool TryTake(Batch batch, TimeSpan within)
    {
        try
        {
            if (consumer.Consume(within) is not { } message) return true;
            if (batch.Count == 0) batch.Since = clock.GetTimestamp();
            batch.Add(message);
            return true;
        }
        catch (ConsumeException e) when (!e.Error.IsFatal)
        {
            // The brokers are away, or a partition was revoked. The client recovers by itself.
            LogConsume(logger, topic, e.Error.Reason);
            return false;
        }
    }

    /// <summary>A message that the handler cannot read counts as unreadable. Otherwise it would block the partition forever.</summary>
    string? Read(ConsumeResult<string?, byte[]?> source, out T message)
    {
        try
        {
            return handler.Read(source, out message);
        }
        catch (Exception e) when (!TransientFaults.IsTransient(e))
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

    /// <summary>An outage of MySQL or Redis is not the fault of a message: it waits as long as necessary.</summary>
    async Task WaitOutFaultsAsync(Func<Task> work, CancellationToken stop)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await work();
                return;
            }
            catch (Exception e) when (TransientFaults.IsTransient(e) && !stop.IsCancellationRequested)
            {
                LogWaiting(logger, topic, attempt, e.Message);
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
                consumer.StoreOffset(last);
            }
            catch (KafkaException e) when (!e.Error.IsFatal)
            {
                // The partition has moved to another consumer, which receives the messages again.
                LogConsume(logger, topic, e.Error.Reason);
            }
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Consuming {Topic}: {Reason}")]
    static partial void LogConsume(ILogger logger, string topic, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Handling {Topic} failed, attempt {Attempt}")]
    static partial void LogRetry(ILogger logger, string topic, int attempt, Exception exception);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Handling {Topic} paused, dependency unavailable (attempt {Attempt}): {Reason}")]
    static partial void LogWaiting(ILogger logger, string topic, int attempt, string reason);

    [LoggerMessage(Level = LogLevel.Error, Message = "Consuming {Topic} failed; subscribing again in {Seconds:F1} s")]
    static partial void LogFailed(ILogger logger, string topic, double seconds, Exception exception);

    [LoggerMessage(Level = LogLevel.Critical, Message = "Consuming {Topic} ended")]
    static partial void LogEnded(ILogger logger, string topic, Exception exception);

    /// <summary>Messages that are handled together.</summary>
    sealed class Batch(int limit) : List<ConsumeResult<string?, byte[]?>>(limit)
    {
        /// <summary>When the first message arrived.</summary>
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

    /// <summary>The attempts of a failing message, in batches and alone together.</summary>
    public required RetryPolicy Retries { get; init; }

    /// <summary>The waits during an outage. Its number of attempts does not count.</summary>
    public RetryPolicy Faults { get; init; } = new() { BaseDelay = TimeSpan.FromMilliseconds(100), MaxDelay = TimeSpan.FromSeconds(2) };
}
