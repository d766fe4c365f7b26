using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Commerce.Tests.Unit.ServiceDefaults;

/// <summary>Keeps what is logged.</summary>
internal sealed class RecordedLogs : ILoggerProvider
{
    private readonly ConcurrentQueue<(LogLevel Level, string Message, Exception? Exception)> entries = new();

    public IEnumerable<(LogLevel Level, string Message, Exception? Exception)> AtLeast(LogLevel level) => entries.Where(e => e.Level >= level);

    public ILogger CreateLogger(string categoryName) => new Recorder(entries);

    public void Dispose()
    {
    }

    private sealed class Recorder(ConcurrentQueue<(LogLevel Level, string Message, Exception? Exception)> entries) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            entries.Enqueue((logLevel, formatter(state, exception), exception));
    }
}
