using System.Data;
using System.Data.Common;

namespace Aspire.MySqlConnector;

internal sealed class BoundedTransaction(BoundedConnection connection, IsolationLevel level) : DbTransaction
{
    public bool IsOver { get; private set; }

    public override IsolationLevel IsolationLevel => level;

    protected override DbConnection? DbConnection => IsOver ? null : connection;

    public override Task CommitAsync(CancellationToken cancellationToken = default) => EndAsync("commit", cancellationToken);

    public override Task RollbackAsync(CancellationToken cancellationToken = default) => EndAsync("rollback", cancellationToken);

    public override void Commit() => throw Unsupported.SynchronousCall();

    public override void Rollback() => throw Unsupported.SynchronousCall();

    public override async ValueTask DisposeAsync()
    {
        try
        {
            if (!IsOver && connection.State == ConnectionState.Open)
                await RollbackAsync();
        }
        catch (DbException)
        {
            // Whatever led here is the error to be seen. The connection is given up when it closes, which rolls back as well.
        }

        await base.DisposeAsync();
    }

    private async Task EndAsync(string statement, CancellationToken token)
    {
        if (IsOver)
            throw new InvalidOperationException("The transaction is over.");
        await connection.ExecuteAsync(statement, token);
        IsOver = true;
    }
}
