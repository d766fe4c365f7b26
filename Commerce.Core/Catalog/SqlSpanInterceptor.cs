using System.Collections.Concurrent;
using System.Data.Common;
using System.Diagnostics;
using Microsoft.EntityFrameworkCore.Diagnostics;

namespace Commerce.Core.Catalog;

/// <summary>Creates the same spans for statements of EF Core as for all other statements.</summary>
sealed class SqlSpanInterceptor : DbCommandInterceptor
{
    readonly ConcurrentDictionary<Guid, Activity> _spans = new();

    public override ValueTask<InterceptionResult<DbDataReader>> ReaderExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<DbDataReader> result, CancellationToken cancellationToken = default) =>
        Start(eventData, command, result);

    public override ValueTask<InterceptionResult<int>> NonQueryExecutingAsync(
        DbCommand command, CommandEventData eventData, InterceptionResult<int> result, CancellationToken cancellationToken = default) =>
        Start(eventData, command, result);

    public override ValueTask<DbDataReader> ReaderExecutedAsync(
        DbCommand command, CommandExecutedEventData eventData, DbDataReader result, CancellationToken cancellationToken = default) =>
        End(eventData, result);

    public override ValueTask<int> NonQueryExecutedAsync(
        DbCommand command, CommandExecutedEventData eventData, int result, CancellationToken cancellationToken = default) =>
        End(eventData, result);

    public override Task CommandFailedAsync(DbCommand command, CommandErrorEventData eventData, CancellationToken cancellationToken = default) => End(eventData, 0).AsTask();

    public override Task CommandCanceledAsync(DbCommand command, CommandEndEventData eventData, CancellationToken cancellationToken = default) => End(eventData, 0).AsTask();

    ValueTask<T> Start<T>(CommandEventData data, DbCommand command, T result)
    {
        if (SqlSpan.Start(command.CommandText) is { } span) _spans[data.CommandId] = span;
        return new(result);
    }

    ValueTask<T> End<T>(CommandEventData data, T result)
    {
        if (_spans.TryRemove(data.CommandId, out var span)) span.Dispose();
        return new(result);
    }
}
