using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace MockKafkaBroker;

/// <summary>One broker of librdkafka's mock cluster on a given port, from the library in the NuGet package.</summary>
internal sealed class MockCluster : IDisposable
{
    const int Broker = 1;
    readonly nint _client, _cluster;
    readonly int _ownPort, _port;

    // The package's librdkafka.so needs libsasl2.so.3, which Debian calls libsasl2.so.2. The build for CentOS 8 needs only the C
    // library.
    static MockCluster() => NativeLibrary.SetDllImportResolver(typeof(MockCluster).Assembly, (name, assembly, path) =>
        name == "librdkafka" && (NativeLibrary.TryLoad(name, assembly, path, out var library)
            || NativeLibrary.TryLoad("centos8-librdkafka", assembly, path, out library)) ? library : 0);

    public MockCluster(int port, IReadOnlyDictionary<string, int> topics)
    {
        _port = port;
        var configuration = Native.rd_kafka_conf_new();
        _ = Native.rd_kafka_conf_set(configuration, "log_level", "4", 0, 0);
        _client = NotNull(Native.rd_kafka_new(0, configuration, 0, 0));
        _cluster = NotNull(WithoutSignals(() => Native.rd_kafka_mock_cluster_new(_client, Broker)));
        var own = Marshal.PtrToStringUTF8(Native.rd_kafka_mock_cluster_bootstraps(_cluster))!;
        _ownPort = int.Parse(own[(own.LastIndexOf(':') + 1)..]);
        MoveListener();
        // Sets the address in metadata responses. The call also wakes the cluster's thread, which then notices the moved socket.
        Native.rd_kafka_mock_broker_set_host_port(_cluster, Broker, "127.0.0.1", port);
        Native.rd_kafka_mock_set_controller_id(_cluster, Broker);
        Native.rd_kafka_mock_group_initial_rebalance_delay_ms(_cluster, 0);
        Native.rd_kafka_mock_set_group_consumer_session_timeout_ms(_cluster, 5000);
        Native.rd_kafka_mock_set_group_consumer_heartbeat_interval_ms(_cluster, 500);
        foreach (var (topic, partitions) in topics) Succeeded(Native.rd_kafka_mock_topic_create(_cluster, topic, partitions, 1));
    }

    public static string Version => Marshal.PtrToStringUTF8(Native.rd_kafka_version_str())!;

    /// <summary>Breaks connections and refuses new ones. The log stays.</summary>
    public void GoDown() => Succeeded(Native.rd_kafka_mock_broker_set_down(_cluster, Broker));

    public void ComeUp()
    {
        Succeeded(Native.rd_kafka_mock_broker_set_up(_cluster, Broker));
        MoveListener();
        Native.rd_kafka_mock_set_controller_id(_cluster, Broker); // wakes the cluster's thread
    }

    public void Dispose()
    {
        Native.rd_kafka_mock_cluster_destroy(_cluster);
        Native.rd_kafka_destroy(_client);
    }

    /// <summary>
    /// Moves the listener to the wanted port. The cluster listens on a port that the kernel chooses and cannot be configured. It only
    /// knows the number of its socket's descriptor, so the descriptor is replaced by a socket on the wanted port.
    /// </summary>
    void MoveListener()
    {
        using var wanted = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        wanted.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        wanted.Bind(new IPEndPoint(IPAddress.Loopback, _port));
        wanted.Listen(128);
        if (Native.dup2((int)wanted.SafeHandle.DangerousGetHandle(), Listener(_ownPort)) < 0)
            throw new InvalidOperationException($"the listener cannot be moved, error {Marshal.GetLastPInvokeError()}");
    }

    static int Listener(int port)
    {
        Span<byte> address = stackalloc byte[16];
        foreach (var file in Directory.EnumerateFiles("/proc/self/fd"))
        {
            var (fd, length) = (int.Parse(Path.GetFileName(file)), 16);
            // sockaddr_in: family (little-endian), port (big-endian), address
            if (Native.getsockname(fd, address, ref length) == 0 && length == 16 && address[0] == 2 && (address[2] << 8 | address[3]) == port) return fd;
        }
        throw new InvalidOperationException("the cluster's listener is not found");
    }

    // A signal that interrupts the poll of the cluster's thread ends the thread. Threads inherit the signal mask of their creator, so it
    // blocks all signals.
    static nint WithoutSignals(Func<nint> make)
    {
        Span<ulong> before = stackalloc ulong[Native.SignalSetLength], all = stackalloc ulong[Native.SignalSetLength];
        all.Fill(ulong.MaxValue);
        Succeeded(Native.pthread_sigmask(Native.SetMask, all, before));
        try
        {
            return make();
        }
        finally
        {
            Succeeded(Native.pthread_sigmask(Native.SetMask, before, all));
        }
    }

    static nint NotNull(nint handle) => handle != 0 ? handle : throw new InvalidOperationException("librdkafka made nothing");

    static void Succeeded(int error)
    {
        if (error != 0) throw new InvalidOperationException($"librdkafka answers error {error}");
    }
}
