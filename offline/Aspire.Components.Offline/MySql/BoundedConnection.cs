using System.Data;
using System.Data.Common;
using System.Diagnostics.CodeAnalysis;

namespace Aspire.MySqlConnector;

/// <summary>A connection of <see cref="BoundedDataSource"/>. Asynchronous calls only; closing never waits.</summary>
internal sealed class BoundedConnection(BoundedDataSource source) : DbConnection
{
    private Session? _session;
    private BoundedTransaction? _transaction;

    [AllowNull]
    public override string ConnectionString
    {
        get => source.ConnectionString;
        set => throw new NotSupportedException("The connection string belongs to the data source.");
    }

    public override string Database => source.Database;

    public override string DataSource => source.Server;

    public override string ServerVersion => UsableSession.Driver.ServerVersion;

    public override ConnectionState State =>
        _session is null ? ConnectionState.Closed : _session.IsUsable ? ConnectionState.Open : ConnectionState.Broken;

    public int DefaultCommandTimeout => source.CommandTimeout;

    public Session UsableSession => _session switch
    {
        null => throw new InvalidOperationException("The connection is not open."),
        { IsUsable: true } => _session,
        _ => throw new MySqlFaultException(MySqlFaultException.ConnectionLost, "The connection broke in an earlier command."),
    };

    public override async Task OpenAsync(CancellationToken cancellationToken)
    {
        if (_session is not null)
            throw new InvalidOperationException("The connection is open already.");
        _session = await source.RentAsync(cancellationToken);
    }

    public override void Close()
    {
        if (Interlocked.Exchange(ref _session, null) is not { } session)
            return;
        if (_transaction is { IsOver: false })
            session.MarkBroken(); // the server rolls back when the session ends
        _transaction = null;
        source.Return(session);
    }

    public async Task ExecuteAsync(string statement, CancellationToken token)
    {
        await using var command = new BoundedCommand(this) { CommandText = statement };
        await command.ExecuteNonQueryAsync(token);
    }

    public override void Open() => throw Unsupported.SynchronousCall();

    public override void ChangeDatabase(string databaseName) => throw new NotSupportedException("Use a data source for each database.");

    protected override DbCommand CreateDbCommand() => new BoundedCommand(this);

    protected override DbTransaction BeginDbTransaction(IsolationLevel isolationLevel) => throw Unsupported.SynchronousCall();

    protected override async ValueTask<DbTransaction> BeginDbTransactionAsync(IsolationLevel isolationLevel, CancellationToken cancellationToken)
    {
        if (_transaction is { IsOver: false })
            throw new InvalidOperationException("A transaction is under way.");
        var level = isolationLevel switch
        {
            IsolationLevel.Unspecified or IsolationLevel.RepeatableRead => "repeatable read",
            IsolationLevel.ReadCommitted => "read committed",
            IsolationLevel.ReadUncommitted => "read uncommitted",
            IsolationLevel.Serializable => "serializable",
            _ => throw new NotSupportedException($"MySQL has no isolation level {isolationLevel}."),
        };
        await ExecuteAsync($"set transaction isolation level {level}; start transaction", cancellationToken); // one round trip
        return _transaction = new BoundedTransaction(this, isolationLevel);
    }

    protected override void Dispose(bool disposing)
    {
        Close();
        base.Dispose(disposing);
    }
}
