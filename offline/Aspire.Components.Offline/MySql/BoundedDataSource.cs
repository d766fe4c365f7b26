using System.Data.Common;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using MySql.Data.MySqlClient;

namespace Aspire.MySqlConnector;

/// <summary>
/// A data source over MySql.Data that keeps the promises of MySqlConnector: every call ends when CommandTimeout is over (30 s) or
/// the token is cancelled, and nobody's thread is blocked while the pool is exhausted. It has a pool of its own because the
/// driver's blocks threads and costs a round trip for every connection taken. Session variables are not reset between users.
/// </summary>
internal sealed class BoundedDataSource : DbDataSource
{
    // The driver's own limits hang asynchronous calls, so they are switched off. Unless given: no TLS to the same machine, and the
    // password exchange that works without it.
    private const string Defaults = "Connection Timeout=5;Maximum Pool Size=100;Default Command Timeout=30;AllowPublicKeyRetrieval=true;";
    private const string DefaultsOnLoopback = "SslMode=Disabled;";

    // A session that was idle for longer is asked whether it still lives before it is handed out.
    private static readonly TimeSpan TrustedIdleTime = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly Stack<Session> _idle = []; // the one used last is taken first
    private readonly SemaphoreSlim _places;
    private readonly SessionKiller _killer;
    private readonly TimeSpan _connectionTimeout;
    private readonly uint _size;
    private readonly string _driverConnectionString;
    private bool _disposed;

    public BoundedDataSource(string connectionString)
    {
        var settings = new MySqlConnectionStringBuilder(connectionString);
        var loopback = settings.Server is "localhost" or "127.0.0.1" or "::1";
        settings = new MySqlConnectionStringBuilder(Defaults + (loopback ? DefaultsOnLoopback : "") + connectionString);

        Server = $"{settings.Server}:{settings.Port}";
        Database = settings.Database;
        CommandTimeout = (int)settings.DefaultCommandTimeout;
        _connectionTimeout = TimeSpan.FromSeconds(settings.ConnectionTimeout);
        _size = settings.MaximumPoolSize;
        _places = new SemaphoreSlim((int)_size);
        settings.Pooling = false;
        settings.DefaultCommandTimeout = 0;
        _driverConnectionString = settings.ConnectionString;
        _killer = new SessionKiller(_driverConnectionString);
        settings.Password = null;
        ConnectionString = settings.ConnectionString;
    }

    /// <summary>Without the password.</summary>
    public override string ConnectionString { get; }

    public string Server { get; }

    public string Database { get; }

    /// <summary>Of commands that set none, in seconds; 0 is no limit.</summary>
    public int CommandTimeout { get; }

    protected override DbConnection CreateDbConnection() => new BoundedConnection(this);

    /// <exception cref="MySqlFaultException">No connection came free or was made within Connection Timeout.</exception>
    /// <exception cref="MySqlException">The server refuses.</exception>
    public async Task<Session> RentAsync(CancellationToken token)
    {
        var started = Stopwatch.GetTimestamp();
        if (!await _places.WaitAsync(_connectionTimeout, token))
            throw new MySqlFaultException(MySqlFaultException.UnableToConnect,
                $"All {_size} connections were in use for {_connectionTimeout.TotalSeconds} s.");
        try
        {
            while (TryTakeIdle(out var idle))
            {
                if (idle.IdleTime < TrustedIdleTime || await idle.AnswersAsync(TimeLeft(), token))
                    return idle;
                _ = idle.DiscardAsync();
            }

            var session = new Session(new MySqlConnection(_driverConnectionString), _killer);
            try
            {
                await session.OpenAsync(TimeLeft(), token);
                return session;
            }
            catch
            {
                _ = session.DiscardAsync();
                throw;
            }
        }
        catch
        {
            _places.Release();
            throw;
        }

        TimeSpan TimeLeft() => _connectionTimeout - Stopwatch.GetElapsedTime(started) is var left && left > TimeSpan.Zero
            ? left
            : throw new MySqlFaultException(MySqlFaultException.UnableToConnect,
                $"MySQL did not answer within {_connectionTimeout.TotalSeconds} s.");
    }

    public void Return(Session session)
    {
        session.MarkUsed();
        if (!session.IsUsable || !TryKeep(session))
            _ = session.DiscardAsync();
        _places.Release();
    }

    protected override void Dispose(bool disposing)
    {
        lock (_gate)
            _disposed = true;
        while (TryTakeIdle(out var session))
            _ = session.DiscardAsync();
        _killer.Dispose();
        base.Dispose(disposing);
    }

    private bool TryKeep(Session session)
    {
        lock (_gate)
        {
            if (!_disposed)
                _idle.Push(session);
            return !_disposed;
        }
    }

    private bool TryTakeIdle([NotNullWhen(true)] out Session? session)
    {
        lock (_gate)
            return _idle.TryPop(out session);
    }
}
