namespace Commerce.ServiceDefaults;

/// <summary>
/// Counts the 5xx responses of this process. All of them are problem details, so counting costs successful requests nothing.
/// </summary>
public static class ServerFailures
{
    static long _count;

    /// <summary>The number since the start of the process.</summary>
    public static long Count => Interlocked.Read(ref _count);

    internal static void Add() => Interlocked.Increment(ref _count);
}
