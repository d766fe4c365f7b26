using System.Data;
using System.Data.Common;
using Commerce.ServiceDefaults;
using Dapper;
using Polly;

namespace Commerce.Core.Database;

/// <summary>The way to MySQL: reads on a connection of their own, changes in a transaction that is repeated where MySQL asks for it.</summary>
public sealed class Ledger(DbDataSource source, LedgerOptions options, TimeProvider clock)
{
    readonly ResiliencePipeline _conflicts =
        new RetryPolicy { Attempts = 6, BaseDelay = TimeSpan.FromMilliseconds(5), MaxDelay = TimeSpan.FromMilliseconds(200) }
            .ToPipeline(IsConflict, clock);

    static Ledger() => SqlMapper.AddTypeHandler(new UtcDateTimeHandler());

    /// <summary>Runs a query on a pooled connection.</summary>
    public async Task<IReadOnlyList<T>> QueryAsync<T>(string sql, object? parameters, CancellationToken cancellationToken)
    {
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        return (await connection.QueryAsync<T>(Command(sql, parameters, null, cancellationToken))).AsList();
    }

    /// <summary>The only row of a query, or the default value.</summary>
    public async Task<T?> SingleAsync<T>(string sql, object? parameters, CancellationToken cancellationToken)
    {
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        return await connection.QuerySingleOrDefaultAsync<T>(Command(sql, parameters, null, cancellationToken));
    }

    /// <summary>Runs one statement in a transaction of its own and returns how many rows it found.</summary>
    public async Task<int> ExecuteAsync(string sql, object? parameters, CancellationToken cancellationToken)
    {
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        return await _conflicts.ExecuteAsync(
            async token => await connection.ExecuteAsync(Command(sql, parameters, null, token)), cancellationToken);
    }

    /// <summary>
    /// Runs <paramref name="work"/> in a READ COMMITTED transaction and commits it. After a deadlock or a lock wait time-out the whole work
    /// runs again, so it may touch nothing but the transaction. Nothing external is called inside.
    /// </summary>
    public async Task<T> TransactAsync<T>(Func<Transaction, Task<T>> work, CancellationToken cancellationToken) =>
        await _conflicts.ExecuteAsync(
            async token =>
            {
                await using var connection = await source.OpenConnectionAsync(token);
                await using var transaction = await connection.BeginTransactionAsync(IsolationLevel.ReadCommitted, token);
                var result = await work(new Transaction(this, connection, transaction, token));
                await transaction.CommitAsync(token);
                return result;
            },
            cancellationToken);

    // MySQL rolled the transaction back, so that the other one could go on.
    static bool IsConflict(Exception exception) =>
        exception is DbException e && MySqlErrors.Number(e) is MySqlErrors.Deadlock or MySqlErrors.LockWaitTimeout;

    internal CommandDefinition Command(string sql, object? parameters, DbTransaction? transaction, CancellationToken cancellationToken) =>
        new(sql, parameters, transaction, (int)options.CommandTimeout.TotalSeconds, cancellationToken: cancellationToken);
}

/// <summary>How the ledger is used by this process.</summary>
/// <param name="CommandTimeout">After this a statement is ended and its caller told (whole seconds, at least one).</param>
public sealed record LedgerOptions(TimeSpan CommandTimeout);

/// <summary>Statements inside one transaction of <see cref="Ledger.TransactAsync"/>.</summary>
public sealed class Transaction(Ledger ledger, DbConnection connection, DbTransaction transaction, CancellationToken cancellationToken)
{
    /// <summary>Runs one statement and returns how many rows it found.</summary>
    public Task<int> ExecuteAsync(string sql, object? parameters = null) =>
        connection.ExecuteAsync(ledger.Command(sql, parameters, transaction, cancellationToken));

    /// <summary>Runs a query.</summary>
    public async Task<IReadOnlyList<T>> QueryAsync<T>(string sql, object? parameters = null) =>
        (await connection.QueryAsync<T>(ledger.Command(sql, parameters, transaction, cancellationToken))).AsList();

    /// <summary>The only row of a query, or the default value.</summary>
    public Task<T?> SingleAsync<T>(string sql, object? parameters = null) =>
        connection.QuerySingleOrDefaultAsync<T>(ledger.Command(sql, parameters, transaction, cancellationToken));
}
