using System.Data;
using System.Data.Common;
using Dapper;
using MySqlConnector;
using Polly;

namespace Commerce.Core.Database;

/// <summary>Access to MySQL: queries on pooled connections, and transactions that are retried after a deadlock.</summary>
/// <remarks>
/// The pool does not test a connection before it hands it out (see
/// <see cref="Microsoft.Extensions.Hosting.MySqlConnectionExtensions"/>). If the server has closed the connection, the first command
/// fails and runs again on the next connection. This is safe for reads and for the beginning of a transaction, which have changed
/// nothing yet. A statement without a transaction cannot be sent twice, so <c>DO 0</c> tests its connection first.
/// </remarks>
public sealed class MySqlDatabase(DbDataSource source, DatabaseOptions options, TimeProvider clock)
{
    readonly ResiliencePipeline _conflicts =
        new RetryPolicy { Attempts = 6, BaseDelay = TimeSpan.FromMilliseconds(5), MaxDelay = TimeSpan.FromMilliseconds(200) }
            .ToPipeline(IsConflict, clock);

    const int PageSize = 1000;

    /// <summary>The maximum number of closed connections that one call skips: the default size of a pool.</summary>
    const int MaxClosedConnections = 100;

    static MySqlDatabase()
    {
        SqlMapper.AddTypeHandler(new UtcDateTimeHandler());
        SqlMapper.AddTypeHandler(new IdSetHandler());
    }

    /// <summary>Runs a query on a pooled connection.</summary>
    public Task<IReadOnlyList<T>> QueryAsync<T>(string sql, object? parameters, CancellationToken cancellationToken) =>
        ConnectAsync(inTransaction: false, session => session.QueryAsync<T>(sql, parameters), cancellationToken);

    /// <summary>Returns the single row of a query, or the default value.</summary>
    public Task<T?> SingleAsync<T>(string sql, object? parameters, CancellationToken cancellationToken) =>
        ConnectAsync(inTransaction: false, session => session.SingleAsync<T>(sql, parameters), cancellationToken);

    /// <summary>Runs one statement in its own transaction and returns the number of rows that it found.</summary>
    public Task<int> ExecuteAsync(string sql, object? parameters, CancellationToken cancellationToken) => AdministrativeAction.Current is not null
        // The action's row commits together with the statement.
        ? ExecuteInTransactionAsync(transaction => transaction.ExecuteAsync(sql, parameters), cancellationToken)
        : ConnectAsync(inTransaction: false, async session =>
        {
            await session.ExecuteAsync("DO 0");
            return await _conflicts.ExecuteAsync(async _ => await session.ExecuteAsync(sql, parameters), cancellationToken);
        }, cancellationToken);

    /// <summary>Runs a DELETE page by page, so that no statement holds many locks. Returns the number of deleted rows.</summary>
    public async Task<int> DeleteInPagesAsync(string sql, object parameters, CancellationToken cancellationToken)
    {
        var (deleted, page) = (0, PageSize);
        for (; page == PageSize; deleted += page) page = await ExecuteAsync($"{sql} LIMIT {PageSize}", parameters, cancellationToken);
        return deleted;
    }

    /// <summary>
    /// Runs <paramref name="work"/> in a transaction and commits it. The isolation level is READ COMMITTED, as for every connection of
    /// this application. After a deadlock or lock timeout the whole work runs again, so it must have no effect outside of the
    /// transaction. It must call nothing external.
    /// </summary>
    public Task<T> ExecuteInTransactionAsync<T>(Func<DbSession, Task<T>> work, CancellationToken cancellationToken) =>
        RetryOnConflictAsync(token => ConnectAsync(inTransaction: true, async transaction =>
        {
            try
            {
                AdministrativeAction.Current?.ExpectChange();
                var result = await work(transaction);
                await transaction.CommitAsync();
                return result;
            }
            catch
            {
                if (!await transaction.TryRollBackAsync()) await KillAsync(transaction.Thread);
                throw;
            }
        }, token), cancellationToken);

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

    /// <summary>Like <see cref="ExecuteInTransactionAsync"/>, but commits only if <paramref name="work"/> does not return null.</summary>
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

    /// <summary>
    /// Runs <paramref name="work"/> on a pooled connection. If its first command finds that the server has closed the connection, the
    /// work runs on the next one. A restart of MySQL closes all pooled connections, and each is dropped when it is found.
    /// </summary>
    async Task<T> ConnectAsync<T>(bool inTransaction, Func<DbSession, Task<T>> work, CancellationToken cancellationToken)
    {
        for (var closed = 0; ; closed++)
        {
            await using var connection = await source.OpenConnectionAsync(cancellationToken);
            var session = new DbSession(connection, inTransaction, options, cancellationToken);
            try
            {
                return await work(session);
            }
            catch (Exception e) when (closed < MaxClosedConnections && !session.MayHaveChanged && !cancellationToken.IsCancellationRequested && IsClosed(connection, e))
            {
                // The pool drops a closed connection.
            }
        }
    }

    /// <summary>
    /// Kills a session that cannot be rolled back. If MySQL cannot be reached, its <c>wait_timeout</c> ends the session.
    /// </summary>
    async Task KillAsync(int thread)
    {
        try
        {
            await using var connection = await source.OpenConnectionAsync(CancellationToken.None);
            await connection.ExecuteAsync(new CommandDefinition($"KILL CONNECTION {thread}", commandTimeout: (int)options.CommandTimeout.TotalSeconds));
        }
        catch (DbException)
        {
            // The session has ended already, or MySQL is unavailable.
        }
    }

    // MySQL reports a closed connection by an error number. Network failures have many exception types, so the state of the connection
    // decides. A timeout closes the connection too, but has its own error number.
    static bool IsClosed(DbConnection connection, Exception exception) => exception is DbException e && MySqlErrors.Number(e) is { } number and not 0
        ? MySqlErrors.IsClosedConnection(number)
        : connection.State != ConnectionState.Open;

    // MySQL rolled the transaction back in favour of another one. EF Core wraps the exception.
    static bool IsConflict(Exception exception) =>
        (exception as DbException ?? exception.InnerException as DbException) is { } e && MySqlErrors.Number(e) is MySqlErrors.Deadlock or MySqlErrors.LockWaitTimeout;

    sealed class RolledBackException : Exception;
}

/// <summary>The settings of the database in this process.</summary>
/// <param name="CommandTimeout">The timeout of a statement: whole seconds, at least one.</param>
public sealed record DatabaseOptions(TimeSpan CommandTimeout);

/// <summary>
/// Runs statements on one connection, either inside a transaction of <see cref="MySqlDatabase.ExecuteInTransactionAsync"/>, or each
/// in its own transaction.
/// </summary>
public sealed class DbSession
{
    const string Begin = "START TRANSACTION;";

    readonly DbConnection _connection;
    readonly DbTransaction? _transaction;
    readonly bool _inTransaction;
    readonly DatabaseOptions _options;
    readonly CancellationToken _cancellationToken;
    readonly List<DeferredStatement> _ahead = [];
    readonly List<DeferredStatement> _atCommit = [];
    bool _begun;

    internal DbSession(DbConnection connection, bool inTransaction, DatabaseOptions options, CancellationToken cancellationToken) =>
        (_connection, _inTransaction, _options, _cancellationToken) = (connection, inTransaction, options, cancellationToken);

    /// <summary>Uses a transaction that the caller begins and commits. Statements cannot be deferred in it.</summary>
    internal DbSession(DbTransaction transaction, DatabaseOptions options, CancellationToken cancellationToken)
        : this(transaction.Connection!, inTransaction: false, options, cancellationToken) => _transaction = transaction;

    /// <summary>Runs one statement and returns the number of rows that it found.</summary>
    public async Task<int> ExecuteAsync(string sql, object? parameters = null)
    {
        // The count includes the rows that were inserted ahead of the statement.
        var inserted = _ahead.Count;
        var found = await SendAsync(sql, parameters, command => _connection.ExecuteAsync(command)) - inserted;
        if (found + inserted > 0) AdministrativeAction.Current?.NoteChange();
        return found;
    }

    /// <summary>Runs a deferred statement now.</summary>
    internal async Task ExecuteAsync(DeferredStatement statement)
    {
        try
        {
            await ExecuteAsync(statement.Sql, statement.Parameters);
        }
        catch (DbException e) when (statement.Explain?.Invoke(e) is { } meaning)
        {
            throw meaning;
        }
    }

    /// <summary>Runs a query.</summary>
    public Task<IReadOnlyList<T>> QueryAsync<T>(string sql, object? parameters = null) =>
        SendAsync<IReadOnlyList<T>>(sql, parameters, async command => (await _connection.QueryAsync<T>(command)).AsList());

    /// <summary>Returns the single row of a query, or the default value.</summary>
    public Task<T?> SingleAsync<T>(string sql, object? parameters = null) =>
        SendAsync(sql, parameters, command => _connection.QuerySingleOrDefaultAsync<T>(command));

    /// <summary>
    /// Inserts a row just before the next command or the COMMIT, in the same round trip. The parameters of the two must have different
    /// names.
    /// </summary>
    /// <param name="explain">Translates a failure of that command. Returns null if the failure does not concern this row.</param>
    public void InsertAhead(string sql, object parameters, Func<DbException, Exception?>? explain = null) => InsertAhead(new(sql, parameters, explain));

    /// <summary>Inserts the row of a statement ahead of the next command.</summary>
    internal void InsertAhead(DeferredStatement statement) => Defer(_ahead, statement);

    /// <summary>Runs statements in the same round trip as the COMMIT. Nothing can depend on the number of rows that they find.</summary>
    /// <param name="explain">Translates a failure. Returns null if the failure does not concern these statements.</param>
    public void AtCommit(string sql, object? parameters = null, Func<DbException, Exception?>? explain = null) => Defer(_atCommit, new(sql, parameters, explain));

    /// <summary>Whether something may have changed: a command has succeeded, or a COMMIT was sent.</summary>
    internal bool MayHaveChanged { get; private set; }

    internal async Task CommitAsync()
    {
        if (!_begun && _ahead.Count + _atCommit.Count == 0) return;
        _ahead.AddRange(_atCommit);
        var action = AdministrativeAction.Current is { } current && (current.HasChanged || _ahead.Count > 0) ? current : null;
        if (action is not null) _ahead.AddRange(action.ToStatements());
        MayHaveChanged = true;
        await ExecuteAsync("COMMIT");
        action?.Committed();
        _begun = false;
    }

    /// <summary>
    /// Rolls back an open transaction. Otherwise it would keep its locks, and the next transaction on this connection would commit it.
    /// Returns false if the transaction may still be open.
    /// </summary>
    internal async Task<bool> TryRollBackAsync()
    {
        // MySQL itself rolls back when the connection is broken. The second attempt is needed because the cancellation of the previous
        // command may hit the first one.
        for (var attempt = 1; _begun && attempt <= 2 && _connection.State == ConnectionState.Open; attempt++)
        {
            try
            {
                await _connection.ExecuteAsync(new CommandDefinition("ROLLBACK", commandTimeout: Seconds));
                return true;
            }
            catch (Exception e) when (e is DbException or InvalidOperationException)
            {
                // The loop tries again, or the caller kills the session.
            }
        }
        return !_begun || _connection.State != ConnectionState.Open;
    }

    /// <summary>MySQL's number of this session.</summary>
    internal int Thread => ((MySqlConnection)_connection).ServerThread;

    int Seconds => (int)_options.CommandTimeout.TotalSeconds;

    async Task<T> SendAsync<T>(string sql, object? parameters, Func<CommandDefinition, Task<T>> send)
    {
        DeferredStatement[] ahead = [.. _ahead];
        _ahead.Clear();
        if (ahead.Length > 0) (sql, parameters) = Combine(ahead, sql, parameters);
        using var span = SqlSpan.Start(sql);
        if (_inTransaction && !_begun) (sql, _begun) = (Begin + sql, true);
        try
        {
            var result = await send(new(sql, parameters, _transaction, commandTimeout: Seconds, cancellationToken: _cancellationToken));
            MayHaveChanged = true;
            return result;
        }
        catch (DbException e) when (ahead.Select(a => a.Explain?.Invoke(e)).FirstOrDefault(meaning => meaning is not null) is { } meaning)
        {
            throw meaning;
        }
    }

    void Defer(List<DeferredStatement> list, DeferredStatement statement)
    {
        if (!_inTransaction) throw new InvalidOperationException("The COMMIT is not ours: nothing can be sent with it.");
        // Two parameters with the same name would become one parameter.
        if (list.Exists(other => statement.Parameters is { } values && other.Parameters?.GetType() == values.GetType()))
            throw new InvalidOperationException("The same statement is deferred twice.");
        list.Add(statement);
    }

    static (string Sql, object Parameters) Combine(DeferredStatement[] ahead, string sql, object? parameters)
    {
        var all = new DynamicParameters();
        foreach (var values in ahead.Select(a => a.Parameters).Append(parameters))
            if (values is not null) all.AddDynamicParams(values);
        return (string.Join(';', ahead.Select(a => a.Sql).Append(sql)), all);
    }
}

/// <summary>A statement that is sent together with others. Its parameters have names that the others do not use.</summary>
/// <param name="Explain">Translates a failure. Returns null if the failure does not concern this statement.</param>
public sealed record DeferredStatement(string Sql, object? Parameters, Func<DbException, Exception?>? Explain = null);
