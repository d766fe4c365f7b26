using System.Net;
using System.Net.Sockets;

namespace Commerce.Hosting.Native;

/// <summary>
/// Finds free ports below the range that the kernel gives to clients (from 32768 by default). While a server is down, no outgoing
/// connection takes its port.
/// </summary>
public static class FreePorts
{
    const int First = 11_000, End = 32_000;

    static readonly HashSet<int> Taken = [];

    /// <summary>Returns a port that is free now and was not returned before.</summary>
    /// <param name="neighbour">The distance to a second free port for the same server. 0 if it needs none.</param>
    public static int Take(int neighbour = 0)
    {
        lock (Taken)
        {
            int port;
            do port = Random.Shared.Next(First, End - neighbour);
            while (!CanTake(port) || !CanTake(port + neighbour));
            Taken.UnionWith([port, port + neighbour]);
            return port;
        }
    }

    static bool CanTake(int port) => !Taken.Contains(port) && IsFree(port);

    static bool IsFree(int port)
    {
        try
        {
            using var probe = new TcpListener(IPAddress.Loopback, port);
            probe.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
