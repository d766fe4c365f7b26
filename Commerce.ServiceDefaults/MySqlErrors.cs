using System.Data.Common;
using System.Net.Sockets;

namespace Commerce.ServiceDefaults;

/// <summary>The errors of MySQL by their numbers, whichever of the two client libraries reports them.</summary>
public static class MySqlErrors
{
    /// <summary>Given by the client libraries: the answer took too long.</summary>
    public const int CommandTimeout = -1;
    public const int ConnectionBroken = 0;
    public const int DiskFull = 1021;
    public const int TooManyConnections = 1040;
    public const int CannotConnect = 1042;
    public const int ShutdownInProgress = 1053;
    public const int DuplicateKey = 1062;
    public const int TableFull = 1114;
    public const int LockWaitTimeout = 1205;
    public const int Deadlock = 1213;
    public const int ReadOnlyOption = 1290;
    public const int QueryInterrupted = 1317;
    public const int ReadOnly = 1836;
    public const int SessionKilled = 3169;
    public const int ServerGone = 2006;
    public const int ServerLost = 2013;
    public const int QueryTimeout = 3024;
    public const int IdleTooLong = 4031;

    /// <summary>The number of the server's error; null where the exception did not come from the server.</summary>
    public static int? Number(DbException exception) => exception.Data["Server Error Code"] as int?;

    /// <summary>Whether an error says that the server has ended the connection.</summary>
    public static bool IsClosedConnection(int number) =>
        number is ConnectionBroken or ServerGone or ServerLost or IdleTooLong or SessionKilled or ShutdownInProgress;

    /// <summary>
    /// Whether the same work may succeed later as it is: the database was away, overloaded, read-only or gave way to another transaction.
    /// Looks into the inner exceptions. The outcome of a commit that failed so is unknown.
    /// </summary>
    public static bool IsTransient(Exception exception)
    {
        for (var e = exception; e is not null; e = e.InnerException)
        {
            // The stream of MySql.Data ends when the server ends the connection; that exception has no number.
            if (e is TimeoutException or SocketException or EndOfStreamException)
                return true;
            if (e is DbException db && (db.IsTransient || IsTransient(Number(db)) || IsExhaustedPool(db)))
                return true;
        }
        return false;
    }

    // MySql.Data gives it neither a number nor a type of its own.
    static bool IsExhaustedPool(DbException exception) =>
        exception.Message.Contains("prior to obtaining a connection from the pool", StringComparison.Ordinal);

    static bool IsTransient(int? number) => number is CommandTimeout or ConnectionBroken or DiskFull or TooManyConnections or CannotConnect
        or ShutdownInProgress or TableFull or LockWaitTimeout or Deadlock or ReadOnlyOption or QueryInterrupted or ReadOnly or ServerGone
        or ServerLost or QueryTimeout or IdleTooLong;
}
