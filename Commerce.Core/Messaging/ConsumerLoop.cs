using System.Diagnostics;
using System.Diagnostics.Metrics;
using Commerce.ServiceDefaults;
using Confluent.Kafka;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Commerce.Core.Messaging;

/// <summary>
/// The one consumer loop: takes batches from a topic on a thread of its own, hands them to the handler, and stores the offsets only after
/// that. Faults of what the handler depends on are waited out; after other failures the batch is divided (see <see cref="BatchRetry"/>), and messages
/// that have failed as often as the topic allows go to the dead letters and the partition moves on.
/// </summary>
public sealed partial class ConsumerLoop<T>(
    string topic, IConsumer<string?, byte[]?> consumer, IMessageHandler<T> handler, DeadLetterProducer deadLetters,
    ConsumerLoopOptions options, TimeProvider clock, IHostApplicationLifetime lifetime, ILogger<ConsumerLoop<T>> logger) : IHostedService, IDisposable
{
    static readonly Counter<long> Consumed = CommerceTelemetry.Meter.CreateCounter<long>("commerce.messages.consumed");
    static readonly Counter<long> Retried = CommerceTelemetry.Meter.CreateCounter<long>("commerce.messages.retried");

    /// <summary>How soon the loop sees that it is to end.</summary>
    static readonly TimeSpan Idle = TimeSpan.FromMilliseconds(500);

    /// <summary>How soon the loop sees that a batch is done, where nothing else comes.</summary>
    static readonly TimeSpan ReadAhead = TimeSpan.FromMilliseconds(10);

    readonly CancellationTokenSource _stopping = new();
    Thread? _thread;

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        // Consume blocks: a thread of its own, not one of the pool's.
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
                // What was not handled comes again to whoever takes the partition.
            }
            catch (KafkaException e) when (e.Error.IsFatal)
            {
                // This client has come to its end; the process has no other.
                LogEnded(logger, topic, e);
                lifetime.StopApplication();
                break;
            }
            catch (Exception e)
            {
                // Whatever it is, it must not take the other topics along. Subscribed anew, the loop goes on from the offsets that were stored.
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
            // While MySQL works on this batch the next one is read.
            while (!handling.IsCompleted && next.Count < options.BatchSize && TryTake(next, ReadAhead)) { }
            handling.GetAwaiter().GetResult();
            Store(batch);
            Consumed.Add(batch.Count, new KeyValuePair<string, object?>("topic", topic));
            batch.Clear();
            (batch, next) = (next, batch);
        }
    }

    /// <summary>Waits for a first message, then for a moment for more: a transaction for many costs little more than one for one.</summary>
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

    /// <summary>Takes a message where one comes in this time; false where the client says that something is wrong.</summary>
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
            // The brokers are away, or a partition was taken: the client goes on by itself.
            LogConsume(logger, topic, e.Error.Reason);
            return false;
        }
    }

    /// <summary>A message that the handler cannot even look at is unreadable: it would stop the partition for ever.</summary>
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

    /// <summary>MySQL or Redis being away is no fault of a message: it waits, however long it takes.</summary>
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
                // The partition went to another consumer meanwhile; the messages come again there.
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
        /// <summary>When the first of them came.</summary>
        public long Since { get; set; }
    }
}

/// <summary>How one topic is consumed.</summary>
public sealed record ConsumerLoopOptions
{
    /// <summary>Messages handled together at most.</summary>
    public int BatchSize { get; init; } = 1000;

    /// <summary>How long a batch that is not full waits for more after its first message.</summary>
    public TimeSpan Linger { get; init; } = TimeSpan.FromMilliseconds(20);

    /// <summary>How a message is tried whose handling fails for a reason of its own; tries in a batch and alone are counted together.</summary>
    public required RetryPolicy Retries { get; init; }

    /// <summary>The waits while something that the handler depends on is away; its number of attempts does not count.</summary>
    public RetryPolicy Faults { get; init; } = new() { BaseDelay = TimeSpan.FromMilliseconds(100), MaxDelay = TimeSpan.FromSeconds(2) };
}
