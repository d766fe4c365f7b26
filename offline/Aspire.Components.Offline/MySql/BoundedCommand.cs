using System.Data;
using System.Data.Common;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using MySql.Data.MySqlClient;

namespace Aspire.MySqlConnector;

internal sealed class BoundedCommand(BoundedConnection connection) : DbCommand
{
    private readonly MySqlCommand _driver = new();
    private BoundedConnection _connection = connection;

    [AllowNull]
    public override string CommandText { get => _driver.CommandText; set => _driver.CommandText = value; }

    /// <summary>Seconds until an answer must be complete; 0 is no limit.</summary>
    public override int CommandTimeout { get; set; } = connection.DefaultCommandTimeout;

    public override CommandType CommandType { get => _driver.CommandType; set => _driver.CommandType = value; }

    public override UpdateRowSource UpdatedRowSource { get => _driver.UpdatedRowSource; set => _driver.UpdatedRowSource = value; }

    public override bool DesignTimeVisible { get; set; }

    [AllowNull]
    protected override DbConnection DbConnection
    {
        get => _connection;
        set => _connection = (BoundedConnection)(value ?? throw new ArgumentNullException(nameof(value)));
    }

    protected override DbParameterCollection DbParameterCollection => _driver.Parameters;

    protected override DbTransaction? DbTransaction { get; set; }

    private TimeSpan Limit => CommandTimeout == 0 ? Timeout.InfiniteTimeSpan : TimeSpan.FromSeconds(CommandTimeout);

    public override async Task<int> ExecuteNonQueryAsync(CancellationToken cancellationToken) =>
        await Ready(cancellationToken).Within(_driver.ExecuteNonQueryAsync(CancellationToken.None), Limit, cancellationToken);

    public override async Task<object?> ExecuteScalarAsync(CancellationToken cancellationToken) =>
        await Ready(cancellationToken).Within<object?>(_driver.ExecuteScalarAsync(CancellationToken.None)!, Limit, cancellationToken);

    protected override async Task<DbDataReader> ExecuteDbDataReaderAsync(CommandBehavior behavior, CancellationToken cancellationToken)
    {
        var session = Ready(cancellationToken);
        var (started, limit) = (Stopwatch.GetTimestamp(), Limit);
        // The driver is not told the behaviour: for SingleRow it would send two more statements, and with SequentialAccess it would
        // wait for columns in calls that have no limit.
        var reader = await session.Within(_driver.ExecuteReaderAsync(CommandBehavior.Default, CancellationToken.None), limit, cancellationToken);
        return new BoundedReader(reader, session, started, limit, behavior.HasFlag(CommandBehavior.CloseConnection) ? _connection : null);
    }

    public override void Cancel() => throw new NotSupportedException("Cancel by the token.");

    public override int ExecuteNonQuery() => throw Unsupported.SynchronousCall();

    public override object ExecuteScalar() => throw Unsupported.SynchronousCall();

    public override void Prepare() => throw Unsupported.SynchronousCall();

    protected override DbDataReader ExecuteDbDataReader(CommandBehavior behavior) => throw Unsupported.SynchronousCall();

    protected override DbParameter CreateDbParameter() => _driver.CreateParameter();

    protected override void Dispose(bool disposing)
    {
        _driver.Dispose();
        base.Dispose(disposing);
    }

    private Session Ready(CancellationToken token)
    {
        token.ThrowIfCancellationRequested();
        var session = _connection.UsableSession;
        _driver.Connection = session.Driver;
        return session;
    }
}
