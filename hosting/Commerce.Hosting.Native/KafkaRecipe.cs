using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Security.Cryptography;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;

namespace Commerce.Hosting.Native;

/// <summary>
/// Runs a Kafka distribution as a KRaft node with Java 17, from KAFKA_HOME or from kafka-server-start.sh on PATH. Without a
/// distribution it runs MockKafkaBroker. Nodes with the same voters and CLUSTER_ID in their variables form a cluster.
/// </summary>
sealed partial class KafkaRecipe(IConfiguration configuration) : NativeServerRecipe
{
    // An ApiVersions request of version 0, with correlation id 7 and without a client id. It is the first request of every client.
    static readonly byte[] ApiVersions = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff];

    const string Voters = "KAFKA_CONTROLLER_QUORUM_VOTERS";

    public override string Name => "Kafka";

    public override string HowToInstall => "Set KAFKA_HOME to a Kafka distribution, with Java 17 on PATH.";

    // This memory is enough for a developer's broker next to all other processes.
    public override IReadOnlyDictionary<string, string> Environment => Distribution is null
        ? new Dictionary<string, string>() : new Dictionary<string, string> { ["KAFKA_HEAP_OPTS"] = configuration["KAFKA_HEAP_OPTS"] ?? "-Xms128m -Xmx256m" };

    static string? Mock => Path.Combine(AppContext.BaseDirectory, "MockKafkaBroker") is var program && File.Exists(program) ? program : null;

    string? Distribution => OnPath("java") is null ? null
        : configuration["KAFKA_HOME"] is { Length: > 0 } home && File.Exists(Path.Combine(home, "bin", "kafka-server-start.sh")) ? Path.GetFullPath(home)
        : OnPath("kafka-server-start.sh") is { } script ? Path.GetFullPath(Path.Combine(Path.GetDirectoryName(script)!, "..")) : null;

    public override bool Fits(ContainerResource container) => container is KafkaServerResource;

    public override string? FindProgram() => Distribution is { } home ? Path.Combine(home, "bin", "kafka-server-start.sh") : Mock;

    public override async Task<IEnumerable<string>> PrepareAsync(NativeServerStart start, CancellationToken cancellationToken)
    {
        if (Distribution is null)
        {
            if (start.Variables.ContainsKey(Voters)) throw new DistributedApplicationException($"The mock broker is no node of a cluster. {HowToInstall}");
            LogMock(start.Logger, HowToInstall);
            return ["--port", start.Port.ToString(CultureInfo.InvariantCulture)];
        }

        // ID@127.0.0.1:PORT
        var voters = start.Variables.GetValueOrDefault(Voters, $"1@127.0.0.1:{FreePorts.Take()}");
        var node = start.Variables.GetValueOrDefault("KAFKA_NODE_ID", "1");
        var controller = voters.Split(',').Single(v => v.StartsWith($"{node}@", StringComparison.Ordinal)).Split('@')[1];
        var data = Path.Combine(start.Home, "data");
        var properties = new Dictionary<string, string>
        {
            ["process.roles"] = "broker,controller",
            ["node.id"] = node,
            ["controller.quorum.voters"] = voters,
            ["listeners"] = $"PLAINTEXT://127.0.0.1:{start.Port},CONTROLLER://{controller}",
            ["advertised.listeners"] = $"PLAINTEXT://127.0.0.1:{start.Port}",
            ["controller.listener.names"] = "CONTROLLER",
            ["log.dirs"] = data,
            ["auto.create.topics.enable"] = "false",
            ["offsets.topic.replication.factor"] = "1",
            ["offsets.topic.num.partitions"] = "4",
            ["transaction.state.log.replication.factor"] = "1",
            ["transaction.state.log.min.isr"] = "1",
            ["share.coordinator.state.topic.replication.factor"] = "1",
            ["share.coordinator.state.topic.min.isr"] = "1",
            ["group.initial.rebalance.delay.ms"] = "0",
            // A broker can restart after a kill only when its predecessor's session has expired, which takes 9 s by default.
            ["broker.session.timeout.ms"] = "3000",
            ["broker.heartbeat.interval.ms"] = "500",
        };
        // KAFKA_LOG_RETENTION_HOURS becomes log.retention.hours, as in the container. The recipe itself sets listeners and folders.
        foreach (var (name, value) in start.Variables.Where(v => v.Key.StartsWith("KAFKA_", StringComparison.Ordinal) && !v.Key.Contains("LISTENER", StringComparison.Ordinal) && v.Key != "KAFKA_LOG_DIRS"))
            properties[name["KAFKA_".Length..].ToLowerInvariant().Replace('_', '.')] = value;
        var file = start.WritePrivately($"{start.Container.Name}.properties", string.Concat(properties.Select(p => $"{p.Key}={p.Value}\n")));
        await FormatAsync(data, file, start.Variables.GetValueOrDefault("CLUSTER_ID"), cancellationToken);
        return [file];
    }

    public override IHealthCheck HealthCheckOf(ContainerResource container) => new TcpHealthCheck(((KafkaServerResource)container).PrimaryEndpoint, AskVersionsAsync);

    static async Task<string?> AskVersionsAsync(NetworkStream stream, CancellationToken cancellationToken)
    {
        await stream.WriteAsync(ApiVersions, cancellationToken);
        var answer = new byte[10];
        await stream.ReadExactlyAsync(answer, cancellationToken);
        return answer is [_, _, _, _, 0, 0, 0, 7, 0, 0] ? null : "The broker refuses an ApiVersions request.";
    }

    /// <summary>Formats the log folder with a cluster id, once.</summary>
    async Task FormatAsync(string data, string properties, string? cluster, CancellationToken cancellationToken)
    {
        if (File.Exists(Path.Combine(data, "meta.properties"))) return;
        cluster ??= Convert.ToBase64String(RandomNumberGenerator.GetBytes(16)).TrimEnd('=').Replace('+', '-').Replace('/', '_');
        using var format = Process.Start(new ProcessStartInfo(
            Path.Combine(Distribution!, "bin", "kafka-storage.sh"), ["format", $"--cluster-id={cluster}", "--config", properties])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var output = await Task.WhenAll(format.StandardOutput.ReadToEndAsync(cancellationToken), format.StandardError.ReadToEndAsync(cancellationToken));
        await format.WaitForExitAsync(cancellationToken);
        if (format.ExitCode != 0) throw new DistributedApplicationException($"Kafka's log folder cannot be formatted: {string.Join(' ', output)}");
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "This is librdkafka's mock cluster: the real protocol, but its log is in memory, it checks no sequence "
        + "numbers, and it has no transactions. {HowToGetKafka}")]
    static partial void LogMock(ILogger logger, string howToGetKafka);
}
