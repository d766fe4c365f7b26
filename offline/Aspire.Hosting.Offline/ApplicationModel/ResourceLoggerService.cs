using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>The console output of every instance, the newest 10,000 lines each.</summary>
public class ResourceLoggerService : IDisposable
{
    const int Kept = 10_000;
    readonly ConcurrentDictionary<string, Output> _outputs = new();
    readonly TimeProvider _clock;

    internal ResourceLoggerService(TimeProvider clock) => _clock = clock;

    /// <summary>Told of every line as it comes: instance, line.</summary>
    internal event Action<string, LogLine>? LineWritten;

    /// <summary>Writes into the resource's console output.</summary>
    public ILogger GetLogger(IResource resource) => new ResourceLogger(this, resource.GetInstanceIds);

    /// <param name="resourceName">The id of an instance.</param>
    public ILogger GetLogger(string resourceName) => new ResourceLogger(this, () => [resourceName]);

    /// <summary>What there is now.</summary>
    public IAsyncEnumerable<IReadOnlyList<LogLine>> GetAllAsync(IResource resource) => Merge(resource.GetInstanceIds(), follow: false);

    /// <param name="resourceName">The id of an instance, or the name of a resource.</param>
    public IAsyncEnumerable<IReadOnlyList<LogLine>> GetAllAsync(string resourceName) => Merge(Ids(resourceName), follow: false);

    /// <summary>What there is now and whatever comes, until <see cref="Complete(string)"/>.</summary>
    public IAsyncEnumerable<IReadOnlyList<LogLine>> WatchAsync(IResource resource) => Merge(resource.GetInstanceIds(), follow: true);

    /// <param name="resourceName">The id of an instance, or the name of a resource.</param>
    public IAsyncEnumerable<IReadOnlyList<LogLine>> WatchAsync(string resourceName) => Merge(Ids(resourceName), follow: true);

    public void Complete(IResource resource) => Array.ForEach(resource.GetInstanceIds(), Complete);

    public void Complete(string name) => Get(name).Complete();

    public void Dispose()
    {
        foreach (var output in _outputs.Values)
            output.Complete();

        GC.SuppressFinalize(this);
    }

    /// <param name="time">When the line was written; null for now.</param>
    internal void Write(string id, string text, bool isError, string? time = null)
    {
        var line = Get(id).Add($"{time ?? _clock.GetUtcNow().UtcDateTime.ToString("O", null)} {text}", isError);
        LineWritten?.Invoke(id, line);
    }

    Output Get(string id) => _outputs.GetOrAdd(id, _ => new());

    string[] Ids(string name) => _outputs.ContainsKey(name) ? [name]
        : _outputs.Keys.Where(k => k.StartsWith(name + "-", StringComparison.OrdinalIgnoreCase)
            && k.Length == name.Length + 9).ToArray() is { Length: > 0 } ids
            ? ids : [name];

    async IAsyncEnumerable<IReadOnlyList<LogLine>> Merge(
        string[] ids, bool follow, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var lines = Channel.CreateUnbounded<LogLine>();
        var subscriptions = ids.Select(Get).ToArray();
        var open = subscriptions.Length;
        foreach (var output in subscriptions)
        {
            output.Subscribe(lines.Writer, follow, () =>
            {
                if (Interlocked.Decrement(ref open) == 0) lines.Writer.TryComplete();
            });
        }

        try
        {
            while (await lines.Reader.WaitToReadAsync(cancellationToken))
            {
                var batch = new List<LogLine>();
                while (lines.Reader.TryRead(out var line))
                    batch.Add(line);

                yield return batch;
            }
        }
        finally
        {
            foreach (var output in subscriptions)
                output.Unsubscribe(lines.Writer);
        }
    }

    sealed class Output
    {
        readonly Queue<LogLine> _lines = new();
        readonly Dictionary<ChannelWriter<LogLine>, Action> _subscribers = [];
        int _count;
        bool _complete;

        public LogLine Add(string text, bool isError)
        {
            lock (_lines)
            {
                var line = new LogLine(++_count, text, isError);
                _lines.Enqueue(line);
                if (_lines.Count > Kept) _lines.Dequeue();

                foreach (var subscriber in _subscribers.Keys)
                    subscriber.TryWrite(line);

                return line;
            }
        }

        public void Subscribe(ChannelWriter<LogLine> to, bool follow, Action done)
        {
            lock (_lines)
            {
                foreach (var line in _lines)
                    to.TryWrite(line);

                if (follow && !_complete)
                {
                    _subscribers[to] = done;
                    return;
                }
            }

            done();
        }

        public void Unsubscribe(ChannelWriter<LogLine> to)
        {
            lock (_lines)
            {
                _subscribers.Remove(to);
            }
        }

        public void Complete()
        {
            lock (_lines)
            {
                _complete = true;
                foreach (var done in _subscribers.Values)
                    done();

                _subscribers.Clear();
            }
        }
    }

    sealed class ResourceLogger(ResourceLoggerService owner, Func<string[]> ids) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                var text = formatter(state, exception) + (exception is null ? "" : $"{Environment.NewLine}{exception}");
                Array.ForEach(ids(), id => owner.Write(id, text, logLevel >= LogLevel.Error));
            }
        }
    }
}

/// <param name="LineNumber">Counted from 1.</param>
/// <param name="Content">The UTC time in round-trip format, a space, the text.</param>
/// <param name="IsErrorMessage">From standard error.</param>
public readonly record struct LogLine(int LineNumber, string Content, bool IsErrorMessage);
