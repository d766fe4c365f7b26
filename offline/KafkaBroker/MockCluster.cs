using System.Runtime.InteropServices;

namespace KafkaBroker;

/// <summary>One broker of librdkafka's mock cluster. It serves from construction until disposal.</summary>
internal sealed class MockCluster : IDisposable
{
    private const int Broker = 1, Replicas = 1;

    // A member that died is replaced after this time. Shorter ones take busy members for dead ones on a loaded machine.
    private const int SessionTimeoutMs = 5000, HeartbeatIntervalMs = 500;

    private readonly nint _client, _cluster;

    /// <summary>Where install/librdkafka.sh puts the library and fixedport.so.</summary>
    public static string Folder { get; } = Path.Combine(
        Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } cache
            ? cache
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"),
        "commerce", "librdkafka-2.15.1");

    static MockCluster() => NativeLibrary.SetDllImportResolver(typeof(MockCluster).Assembly, (name, _, _) =>
        name == Native.Library ? NativeLibrary.Load(Path.Combine(Folder, "librdkafka.so.1")) : 0);

    /// <param name="topics">Topic names and their partition counts.</param>
    /// <exception cref="DllNotFoundException">The native library is not installed.</exception>
    /// <exception cref="InvalidOperationException">The library refuses; the message says what.</exception>
    public MockCluster(IReadOnlyDictionary<string, int> topics)
    {
        var configuration = Native.rd_kafka_conf_new();
        // The client that hosts the cluster has no bootstrap servers of its own and would say so.
        _ = Native.rd_kafka_conf_set(configuration, "log_level", "4", 0, 0);
        _client = NotNull(Native.rd_kafka_new(0, configuration, 0, 0), "the client");
        _cluster = NotNull(WithoutSignals(() => Native.rd_kafka_mock_cluster_new(_client, Broker)), "the cluster");
        Bootstrap = Marshal.PtrToStringUTF8(Native.rd_kafka_mock_cluster_bootstraps(_cluster))!;

        Native.rd_kafka_mock_set_controller_id(_cluster, Broker); // without a controller DescribeCluster times out
        Native.rd_kafka_mock_group_initial_rebalance_delay_ms(_cluster, 0); // 3 s otherwise, before a first message is seen
        Native.rd_kafka_mock_set_group_consumer_session_timeout_ms(_cluster, SessionTimeoutMs);
        Native.rd_kafka_mock_set_group_consumer_heartbeat_interval_ms(_cluster, HeartbeatIntervalMs);
        foreach (var (topic, partitions) in topics)
            Succeeded(Native.rd_kafka_mock_topic_create(_cluster, topic, partitions, Replicas), $"topic {topic}");
    }

    /// <summary>HOST:PORT, as clients are told it in the cluster's metadata.</summary>
    public string Bootstrap { get; }

    /// <summary>Breaks all connections and refuses new ones. Messages, group offsets and producer ids are kept.</summary>
    public void GoDown() => Succeeded(Native.rd_kafka_mock_broker_set_down(_cluster, Broker), "going down");

    /// <summary>Serves again, on the same port.</summary>
    public void ComeUp() => Succeeded(Native.rd_kafka_mock_broker_set_up(_cluster, Broker), "coming up");

    public void Dispose()
    {
        Native.rd_kafka_mock_cluster_destroy(_cluster);
        Native.rd_kafka_destroy(_client);
    }

    // The cluster's thread takes a signal that interrupts its poll for an error and ends, and with it the broker, for good. Threads inherit what
    // their maker does not want to hear; other threads of this process do.
    private static nint WithoutSignals(Func<nint> make)
    {
        Span<ulong> before = stackalloc ulong[Native.SignalSetLength], all = stackalloc ulong[Native.SignalSetLength];
        all.Fill(ulong.MaxValue);
        Succeeded(Native.pthread_sigmask(Native.SetMask, all, before), "blocking signals");
        try
        {
            return make();
        }
        finally
        {
            Succeeded(Native.pthread_sigmask(Native.SetMask, before, all), "letting signals in");
        }
    }

    private static nint NotNull(nint handle, string what) =>
        handle != 0 ? handle : throw new InvalidOperationException($"{what} of librdkafka could not be made");

    private static void Succeeded(int error, string what)
    {
        if (error != 0)
            throw new InvalidOperationException($"{what}: librdkafka answers error {error}");
    }
}
