using System.Data;
using System.Data.Common;
using Commerce.ServiceDefaults;
using Dapper;
using Polly;

namespace Commerce.Core.Database;

/// <summary>Access to MySQL: queries on pooled connections, and transactions that are retried after a deadlock.</summary>
public sealed class MySqlDatabase(DbDataSource source, DatabaseOptions options, TimeProvider clock)
{
    readonly ResiliencePipeline _conflicts =
        new RetryPolicy { Attempts = 6, BaseDelay = TimeSpan.FromMilliseconds(5), MaxDelay = TimeSpan.FromMilliseconds(200) }
            .ToPipeline(IsConflict, clock);

    static MySqlDatabase() => SqlMapper.AddTypeHandler(new UtcDateTimeHandler());

    /// <summary>Runs a query on a pooled connection.</summary>
    public async Task<IReadOnlyList<T>> QueryAsync<T>(string sql, object? parameters, CancellationToken cancellationToken)
    {
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        return await new DbSession(connection, null, options, cancellationToken).QueryAsync<T>(sql, parameters);
    }

    /// <summary>The single row of a query, or the default value.</summary>
    public async Task<T?> SingleAsync<T>(string sql, object? parameters, CancellationToken cancellationToken)
    {
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        return await new DbSession(connection, null, options, cancellationToken).SingleAsync<T>(sql, parameters);
    }

    /// <summary>Runs one statement in its own transaction and returns the number of rows that it found.</summary>
    public async Task<int> ExecuteAsync(string sql, object? parameters, CancellationToken cancellationToken)
    {
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        return await _conflicts.ExecuteAsync(
            async token => await new DbSession(connection, null, options, token).ExecuteAsync(sql, parameters), cancellationToken);
    }

    /// <summary>
    /// Runs <paramref name="work"/> in a READ COMMITTED transaction and commits it. After a deadlock or lock timeout the whole work runs again, so it
    /// must touch nothing but the transaction. Nothing external is called inside.
    /// </summary>
    public Task<T> ExecuteInTransactionAsync<T>(Func<DbSession, Task<T>> work, CancellationToken cancellationToken) =>
        RetryOnConflictAsync(
            async token =>
            {
                await using var connection = await source.OpenConnectionAsync(token);
                await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.ReadCommitted, token);
                var result = await work(new DbSession(connection, transaction, options, token));
                await transaction.CommitAsync(token);
                return result;
            },
            cancellationToken);

    /// <summary>Runs <paramref name="work"/>, a whole transaction, again after a deadlock or lock timeout.</summary>
    internal async Task<T> RetryOnConflictAsync<T>(Func<CancellationToken, Task<T>> work, CancellationToken cancellationToken) =>
        await _conflicts.ExecuteAsync(async token => await work(token), cancellationToken);

    /// <summary>Like <see cref="ExecuteInTransactionAsync"/>, but commits only if <paramref name="work"/> returns true.</summary>
    public async Task<bool> TryExecuteInTransactionAsync(Func<DbSession, Task<bool>> work, CancellationToken cancellationToken)
    {
        try
        {
            return await ExecuteInTransactionAsync(async transaction => await work(transaction) ? true : throw new RolledBackException(), cancellationToken);
        }
        catch (RolledBackException)
        {
            return false;
        }
    }

    /// <summary>Like <see cref="ExecuteInTransactionAsync"/>, but commits only if <paramref name="work"/> returns a value.</summary>
    public async Task<T?> TryExecuteInTransactionAsync<T>(Func<DbSession, Task<T?>> work, CancellationToken cancellationToken) where T : class
    {
        try
        {
            return await ExecuteInTransactionAsync(async transaction => await work(transaction) ?? throw new RolledBackException(), cancellationToken);
        }
        catch (RolledBackException)
        {
            return null;
        }
    }

    // MySQL rolled the transaction back in favour of another one. EF Core wraps the exception.
    static bool IsConflict(Exception exception) =>
        (exception as DbException ?? exception.InnerException as DbException) is { } e && MySqlErrors.Number(e) is MySqlErrors.Deadlock or MySqlErrors.LockWaitTimeout;

    sealed class RolledBackException : Exception;
}

/// <summary>Options of the database access.</summary>
/// <param name="CommandTimeout">The timeout of a statement (whole seconds, at least one).</param>
public sealed record DatabaseOptions(TimeSpan CommandTimeout);

/// <summary>
/// Statements on one connection: inside a transaction of <see cref="MySqlDatabase.ExecuteInTransactionAsync"/>, or each in its own.
/// </summary>
public sealed class DbSession(DbConnection connection, DbTransaction? transaction, DatabaseOptions options, CancellationToken cancellationToken)
{
    /// <summary>Runs one statement and returns the number of rows that it found.</summary>
    public async Task<int> ExecuteAsync(string sql, object? parameters = null)
    {
        using var span = SqlSpan.Start(sql);
        return await connection.ExecuteAsync(Command(sql, parameters));
    }

    /// <summary>Runs a query.</summary>
    public async Task<IReadOnlyList<T>> QueryAsync<T>(string sql, object? parameters = null)
    {
        using var span = SqlSpan.Start(sql);
        return (await connection.QueryAsync<T>(Command(sql, parameters))).AsList();
    }

    /// <summary>The single row of a query, or the default value.</summary>
    public async Task<T?> SingleAsync<T>(string sql, object? parameters = null)
    {
        using var span = SqlSpan.Start(sql);
        return await connection.QuerySingleOrDefaultAsync<T>(Command(sql, parameters));
    }

    CommandDefinition Command(string sql, object? parameters) =>
        new(sql, parameters, transaction, (int)options.CommandTimeout.TotalSeconds, cancellationToken: cancellationToken);
}
