using System.Data.Common;

namespace Aspire.MySqlConnector;

/// <summary>What the driver does not report as an exception of its own: a command or a connection that took too long, or broke.</summary>
internal sealed class MySqlFaultException : DbException
{
    // The numbers that MySqlConnector gives in these cases.
    public const int CommandTimeoutExpired = -1, ConnectionLost = 0, UnableToConnect = 1042;

    // Both client libraries keep the number there, so that code can read it without knowing the library.
    private const string NumberKey = "Server Error Code";

    public MySqlFaultException(int number, string message, Exception? inner = null)
        : base(message, inner) => Data[NumberKey] = number;

    public override bool IsTransient => true;
}
