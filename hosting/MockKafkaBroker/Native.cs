using System.Runtime.InteropServices;

namespace MockKafkaBroker;

/// <summary>The functions of rdkafka.h, rdkafka_mock.h and the C library that are used here, under their own names.</summary>
internal static partial class Native
{
    const string Kafka = "librdkafka";

    [LibraryImport(Kafka)] internal static partial nint rd_kafka_version_str();
    [LibraryImport(Kafka)] internal static partial nint rd_kafka_conf_new();
    [LibraryImport(Kafka, StringMarshalling = StringMarshalling.Utf8)] internal static partial int rd_kafka_conf_set(nint conf, string name, string value, nint error, nuint size);
    [LibraryImport(Kafka)] internal static partial nint rd_kafka_new(int type, nint conf, nint error, nuint size);
    [LibraryImport(Kafka)] internal static partial void rd_kafka_destroy(nint client);
    [LibraryImport(Kafka)] internal static partial nint rd_kafka_mock_cluster_new(nint client, int brokers);
    [LibraryImport(Kafka)] internal static partial void rd_kafka_mock_cluster_destroy(nint cluster);
    [LibraryImport(Kafka)] internal static partial nint rd_kafka_mock_cluster_bootstraps(nint cluster);
    [LibraryImport(Kafka, StringMarshalling = StringMarshalling.Utf8)] internal static partial void rd_kafka_mock_broker_set_host_port(nint cluster, int broker, string host, int port);
    [LibraryImport(Kafka)] internal static partial int rd_kafka_mock_broker_set_down(nint cluster, int broker);
    [LibraryImport(Kafka)] internal static partial int rd_kafka_mock_broker_set_up(nint cluster, int broker);
    [LibraryImport(Kafka)] internal static partial void rd_kafka_mock_set_controller_id(nint cluster, int broker);
    [LibraryImport(Kafka)] internal static partial void rd_kafka_mock_group_initial_rebalance_delay_ms(nint cluster, int milliseconds);
    [LibraryImport(Kafka)] internal static partial void rd_kafka_mock_set_group_consumer_session_timeout_ms(nint cluster, int milliseconds);
    [LibraryImport(Kafka)] internal static partial void rd_kafka_mock_set_group_consumer_heartbeat_interval_ms(nint cluster, int milliseconds);
    [LibraryImport(Kafka, StringMarshalling = StringMarshalling.Utf8)] internal static partial int rd_kafka_mock_topic_create(nint cluster, string topic, int partitions, int replicas);

    internal const int SetMask = 2, SignalSetLength = 16; // SIG_SETMASK; 1024 signals

    [LibraryImport("libc")] internal static partial int pthread_sigmask(int how, ReadOnlySpan<ulong> set, Span<ulong> before);
    [LibraryImport("libc", SetLastError = true)] internal static partial int dup2(int from, int to);
    [LibraryImport("libc", SetLastError = true)] internal static partial int getsockname(int fd, Span<byte> address, ref int length);
}
