using System.Data.Common;

namespace Commerce.ServiceDefaults;

/// <summary>The error numbers of MySQL, for both client libraries.</summary>
public static class MySqlErrors
{
    /// <summary>Set by the client libraries if the answer took too long.</summary>
    public const int CommandTimeout = -1;
    public const int DiskFull = 1021;
    public const int UnknownColumn = 1054;
    public const int DuplicateKey = 1062;
    public const int SyntaxError = 1064;
    public const int TableFull = 1114;
    public const int LockWaitTimeout = 1205;
    public const int Deadlock = 1213;
    public const int ReadOnlyOption = 1290;
    public const int QueryInterrupted = 1317;
    public const int QueryTimeout = 3024;

    const int ConnectionBroken = 0, ShutdownInProgress = 1053, ServerGone = 2006, ServerLost = 2013, SessionKilled = 3169, IdleTooLong = 4031;

    /// <summary>Returns the number of the server's error, or null if the exception did not come from the server.</summary>
    public static int? Number(DbException exception) => exception.Data["Server Error Code"] as int?;

    /// <summary>Whether the error means that the server has ended the connection.</summary>
    public static bool IsClosedConnection(int number) =>
        number is ConnectionBroken or ServerGone or ServerLost or IdleTooLong or SessionKilled or ShutdownInProgress;

    /// <summary>
    /// Errors that have no SQLSTATE of their own: invalid characters, a value of another type, a failed check constraint.
    /// </summary>
    const int InvalidCharacters = 1300, WrongValue = 1366, CheckConstraint = 3819;

    /// <summary>
    /// Whether the values are invalid, so that a retry fails too. They do not fit the columns (class 22), break a constraint (class 23),
    /// or a trigger rejects them (45000).
    /// </summary>
    public static bool IsOfData(DbException exception) =>
        exception.SqlState is { Length: 5 } state && (state.StartsWith("22", StringComparison.Ordinal) || state.StartsWith("23", StringComparison.Ordinal) || state == "45000")
        || Number(exception) is InvalidCharacters or WrongValue or CheckConstraint or DuplicateKey;

    /// <summary>
    /// Whether the statement or its values are wrong. The cause of any other error is in the database, the network or the user's rights.
    /// </summary>
    public static bool IsOfStatement(DbException exception) => IsOfData(exception) || Number(exception) is SyntaxError or UnknownColumn;
}
