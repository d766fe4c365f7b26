using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Confluent.Kafka;

namespace Aspire.Confluent.Kafka;

/// <summary>Tells Confluent.Kafka where its native library is: install/librdkafka.sh has put it into the cache.</summary>
internal static class KafkaLibrary
{
    [ModuleInitializer]
    [SuppressMessage("Usage", "CA2255", Justification = "The resolver must be there before any use of Confluent.Kafka, which offers no other hook.")]
    internal static void Register() => NativeLibrary.SetDllImportResolver(typeof(Library).Assembly, (name, _, _) =>
        name == "libdl" ? NativeLibrary.Load("libdl.so.2") // the name without a version exists on development machines only
        : name.Contains("librdkafka", StringComparison.Ordinal) ? NativeLibrary.Load(FilePath)
        : 0);

    private static string FilePath => Path.Combine(
        Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } cache
            ? cache
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"),
        "commerce", "librdkafka-2.15.1", "librdkafka.so.1");
}
