using System.Net;
using System.Net.Sockets;

namespace Commerce.Hosting.Native;

/// <summary>
/// Free ports below those that the kernel gives to clients (from 32768 by default): while a server is down, no outgoing connection takes its port.
/// </summary>
static class FreePorts
{
    const int First = 11_000, End = 32_000;

    static readonly HashSet<int> Taken = [];

    /// <summary>A port that is free now and was not returned before.</summary>
    public static int Take()
    {
        lock (Taken)
        {
            int port;
            do port = Random.Shared.Next(First, End);
            while (Taken.Contains(port) || !IsFree(port));
            Taken.Add(port);
            return port;
        }
    }

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
