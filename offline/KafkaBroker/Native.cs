using System.Runtime.InteropServices;

namespace KafkaBroker;

/// <summary>The functions of rdkafka.h, rdkafka_mock.h and signal.h that the broker needs, under their own names.</summary>
internal static partial class Native
{
    internal const string Library = "librdkafka";

    [LibraryImport(Library)]
    internal static partial nint rd_kafka_conf_new();

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rd_kafka_conf_set(nint configuration, string name, string value, nint error, nuint errorSize);

    [LibraryImport(Library)]
    internal static partial nint rd_kafka_new(int type, nint configuration, nint error, nuint errorSize);

    [LibraryImport(Library)]
    internal static partial void rd_kafka_destroy(nint client);

    [LibraryImport(Library)]
    internal static partial nint rd_kafka_mock_cluster_new(nint client, int brokers);

    [LibraryImport(Library)]
    internal static partial void rd_kafka_mock_cluster_destroy(nint cluster);

    [LibraryImport(Library)]
    internal static partial nint rd_kafka_mock_cluster_bootstraps(nint cluster);

    [LibraryImport(Library)]
    internal static partial void rd_kafka_mock_set_controller_id(nint cluster, int broker);

    [LibraryImport(Library)]
    internal static partial void rd_kafka_mock_group_initial_rebalance_delay_ms(nint cluster, int milliseconds);

    [LibraryImport(Library)]
    internal static partial void rd_kafka_mock_set_group_consumer_session_timeout_ms(nint cluster, int milliseconds);

    [LibraryImport(Library)]
    internal static partial void rd_kafka_mock_set_group_consumer_heartbeat_interval_ms(nint cluster, int milliseconds);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int rd_kafka_mock_topic_create(nint cluster, string topic, int partitions, int replicas);

    [LibraryImport(Library)]
    internal static partial int rd_kafka_mock_broker_set_down(nint cluster, int broker);

    [LibraryImport(Library)]
    internal static partial int rd_kafka_mock_broker_set_up(nint cluster, int broker);

    // SIG_SETMASK, and the size of a sigset_t of 1024 signals in words.
    internal const int SetMask = 2, SignalSetLength = 16;

    [LibraryImport("libc")]
    internal static partial int pthread_sigmask(int how, ReadOnlySpan<ulong> set, Span<ulong> before);
}
