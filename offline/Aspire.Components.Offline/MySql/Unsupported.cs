namespace Aspire.MySqlConnector;

internal static class Unsupported
{
    public static NotSupportedException SynchronousCall() =>
        new("Offline, MySQL is asked by asynchronous calls only: others would hold a thread without a limit.");
}
