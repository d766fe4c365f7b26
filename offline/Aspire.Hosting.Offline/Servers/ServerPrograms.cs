using System.Runtime.InteropServices;

namespace Aspire.Hosting.Servers;

/// <summary>Where the programs are that the installers of offline/install put into the user's cache.</summary>
internal static class ServerPrograms
{
    static readonly string CacheFolder = Path.Combine(
        Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } given
            ? given : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"),
        "commerce");

    public static string Engine => Find("aspire-13.5.4", "bundle/dcp/dcp");

    public static string Dashboard => Find("aspire-13.5.4", "bundle/managed/aspire-managed");

    public static string MySql => Find("mysql-9.7", "my");

    /// <summary>An initialised data folder; null where the installer made none.</summary>
    public static string? MySqlTemplate =>
        Path.Combine(CacheFolder, "mysql-9.7", "template") is var path && Directory.Exists(path) ? path : null;

    public static string Redis => Find("redis", "my");

    /// <summary>Makes the mock cluster listen on the port in FIXED_PORT.</summary>
    public static string FixedPort => Find("librdkafka-2.15.1", "fixedport.so");

    public static string KafkaBroker => typeof(ServerPrograms).Assembly.FindMetadata("KafkaBroker")!;

    /// <summary>The dotnet command that this process runs on.</summary>
    public static string DotNet => Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", "..", "dotnet"));

    static string Find(string folder, string file) =>
        Path.Combine(CacheFolder, folder, file) is var path && File.Exists(Path.Combine(CacheFolder, folder, ".install-complete"))
            && File.Exists(path)
            ? path : throw new DistributedApplicationException(
                $"'{path}' is not installed. Run ./commerce up, or the installers in offline/install.");
}
