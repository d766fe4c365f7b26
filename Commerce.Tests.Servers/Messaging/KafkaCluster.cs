using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Commerce.Hosting.Native;
using Confluent.Kafka;

namespace Commerce.Tests.Servers.Messaging;

/// <summary>Brokers of a real Kafka distribution for one test: one node, or several that replicate each other.</summary>
public sealed class KafkaCluster : IAsyncDisposable
{
    /// <summary>The reason for skipping a test that needs these brokers.</summary>
    public const string WhyNot = "Needs a real broker: set KAFKA_HOME to a Kafka distribution, with Java 17 on PATH.";

    /// <summary>The time limit for a start. Three nodes elect each other in turn on a busy machine.</summary>
    static readonly TimeSpan StartPatience = TimeSpan.FromMinutes(3);

    readonly DirectoryInfo _folder;
    readonly List<Node> _nodes = [];
    readonly IReadOnlyDictionary<string, string> _settings;
    readonly KafkaSecurity? _security;
    string _clusterId = NewClusterId();

    KafkaCluster(DirectoryInfo folder, IReadOnlyDictionary<string, string> settings, KafkaSecurity? security) => (_folder, _settings, _security) = (folder, settings, security);

    /// <summary>Whether a distribution and a Java runtime are installed.</summary>
    public static bool IsInstalled { get; } = File.Exists(Tool("kafka-server-start.sh"))
        && (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, "java")));

    /// <summary>The addresses for clients. If there is a listener with TLS and SASL, its addresses.</summary>
    public string BootstrapServers => string.Join(',', _nodes.Select(n => $"127.0.0.1:{(_security is null ? n.Port : n.SecurePort)}"));

    /// <summary>The certificate authority of the listener with TLS.</summary>
    public string CaFile => TestCertificates.AuthorityIn(_folder.FullName);

    /// <summary>The addresses for the tests' own clients.</summary>
    public string PlainServers => string.Join(',', _nodes.Select(n => $"127.0.0.1:{n.Port}"));

    /// <summary>Starts a number of brokers.</summary>
    /// <param name="nodes">The number of nodes. Each is a broker and a controller.</param>
    /// <param name="settings">Settings for all nodes, in addition to those for a small machine.</param>
    /// <param name="security">A second listener with TLS and SASL. Traffic between brokers uses the first listener.</param>
    /// <param name="disk">The folder for the logs. Null: a temporary folder.</param>
    public static async Task<KafkaCluster> StartAsync(int nodes = 1, IReadOnlyDictionary<string, string>? settings = null, KafkaSecurity? security = null, DirectoryInfo? disk = null)
    {
        var cluster = new KafkaCluster(disk?.CreateSubdirectory("kafka") ?? Directory.CreateTempSubdirectory("commerce-kafka-"), settings ?? new Dictionary<string, string>(), security);
        List<int> ports = [.. Enumerable.Range(0, nodes * 3).Select(_ => FreePorts.Take())];
        for (var i = 0; i < nodes; i++) cluster._nodes.Add(new(i + 1, ports[i * 3], ports[(i * 3) + 1], ports[(i * 3) + 2]));
        try
        {
            await cluster.StartAllAsync();
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }

        return cluster;
    }

    /// <summary>Kills a broker, as a power failure would. Its log stays.</summary>
    public async Task KillAsync(int node = 1)
    {
        if (_nodes[node - 1].Process is not { } process) return;
        process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
        _nodes[node - 1].Process = null;
    }

    /// <summary>Starts a killed broker again, with its log.</summary>
    public async Task StartNodeAsync(int node = 1)
    {
        var it = _nodes[node - 1];
        it.Process = Launch("kafka-server-start.sh", it.Said, FileOf(it));
        await AnswersAsync(it);
    }

    /// <summary>Freezes a broker. Its connections stay open.</summary>
    public void Freeze(int node = 1) => Signal("-STOP", node);

    /// <summary>Resumes a frozen broker.</summary>
    public void Thaw(int node = 1) => Signal("-CONT", node);

    /// <summary>
    /// Kills all brokers and starts them again at the same addresses without any data: no topics, no groups, another cluster id.
    /// </summary>
    public async Task EmptyAsync()
    {
        foreach (var node in _nodes) await KillAsync(node.Id);
        foreach (var node in _nodes) Directory.Delete(DataOf(node), recursive: true);
        _clusterId = NewClusterId();
        await StartAllAsync();
    }

    /// <summary>Runs one of the distribution's tools against the brokers and returns what it prints.</summary>
    public async Task<string> RunAsync(string tool, params string[] arguments)
    {
        var said = new ConcurrentQueue<string>();
        using var process = Launch(tool, said, ["--bootstrap-server", PlainServers, .. arguments]);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        var text = string.Join('\n', said);
        return process.ExitCode == 0 ? text : throw new InvalidOperationException($"{tool} ended with {process.ExitCode}: {text}");
    }

    /// <summary>Returns the node that leads a partition.</summary>
    public int LeaderOf(string topic, int partition = 0)
    {
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = PlainServers }).SetLogHandler((_, _) => { }).Build();
        return admin.GetMetadata(topic, TimeSpan.FromSeconds(20)).Topics.Single().Partitions[partition].Leader;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes) await KillAsync(node.Id);
        _folder.Delete(recursive: true);
    }

    async Task StartAllAsync()
    {
        await Task.WhenAll(_nodes.Select(FormatAsync));
        foreach (var node in _nodes) node.Process = Launch("kafka-server-start.sh", node.Said, FileOf(node));
        await Task.WhenAll(_nodes.Select(AnswersAsync));
    }

    async Task FormatAsync(Node node)
    {
        await File.WriteAllTextAsync(FileOf(node), string.Concat(Properties(node).Select(p => $"{p.Key}={p.Value}\n")));
        var said = new ConcurrentQueue<string>();
        string[] users = _security is null ? [] : [.. _security.Users.SelectMany(u => new[] { "--add-scram", $"SCRAM-SHA-512=[name={u.Name},password={u.Password}]" })];
        using var format = Launch("kafka-storage.sh", said, ["format", $"--cluster-id={_clusterId}", "--config", FileOf(node), .. users]);
        await format.WaitForExitAsync();
        if (format.ExitCode != 0) throw new InvalidOperationException(string.Join('\n', said));
    }

    Dictionary<string, string> Properties(Node node)
    {
        var replicas = Math.Min(3, _nodes.Count).ToString(CultureInfo.InvariantCulture);
        var properties = new Dictionary<string, string>
        {
            ["process.roles"] = "broker,controller",
            ["node.id"] = node.Id.ToString(CultureInfo.InvariantCulture),
            ["controller.quorum.voters"] = string.Join(',', _nodes.Select(n => $"{n.Id}@127.0.0.1:{n.Controller}")),
            ["listeners"] = $"PLAINTEXT://127.0.0.1:{node.Port},CONTROLLER://127.0.0.1:{node.Controller}",
            ["advertised.listeners"] = $"PLAINTEXT://127.0.0.1:{node.Port}",
            ["controller.listener.names"] = "CONTROLLER",
            ["listener.security.protocol.map"] = "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL",
            ["inter.broker.listener.name"] = "PLAINTEXT",
            ["log.dirs"] = DataOf(node),
            ["auto.create.topics.enable"] = "false",
            ["offsets.topic.replication.factor"] = replicas,
            ["offsets.topic.num.partitions"] = "4",
            ["transaction.state.log.replication.factor"] = replicas,
            ["transaction.state.log.min.isr"] = "1",
            ["share.coordinator.state.topic.replication.factor"] = replicas,
            ["share.coordinator.state.topic.min.isr"] = "1",
            ["group.initial.rebalance.delay.ms"] = "0",
            ["broker.session.timeout.ms"] = "3000",
            ["broker.heartbeat.interval.ms"] = "500",
            ["replica.lag.time.max.ms"] = "3000",
        };
        if (_security is not null)
        {
            properties["listeners"] += $",SASL_SSL://127.0.0.1:{node.SecurePort}";
            properties["advertised.listeners"] += $",SASL_SSL://127.0.0.1:{node.SecurePort}";
            foreach (var (name, value) in _security.BrokerSettings(_folder.FullName)) properties[name] = value;
        }

        foreach (var (name, value) in _settings) properties[name] = value;
        return properties;
    }

    Process Launch(string tool, ConcurrentQueue<string> said, params string[] arguments)
    {
        var start = new ProcessStartInfo(Tool(tool), arguments) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = _folder.FullName };
        start.Environment["KAFKA_HEAP_OPTS"] = tool == "kafka-server-start.sh" ? "-Xms128m -Xmx256m" : "-Xmx128m";
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, line) => Say(line.Data);
        process.ErrorDataReceived += (_, line) => Say(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;

        void Say(string? line)
        {
            if (line is null) return;
            said.Enqueue(line);
            while (said.Count > 2000) said.TryDequeue(out _);
        }
    }

    static async Task AnswersAsync(Node node)
    {
        using var admin = new AdminClientBuilder(new AdminClientConfig { BootstrapServers = $"127.0.0.1:{node.Port}", ReconnectBackoffMaxMs = 200 })
            .SetLogHandler((_, _) => { }).Build();
        try
        {
            await Eventually.GetAsync(() => Task.Run(() => admin.GetMetadata(TimeSpan.FromSeconds(1))), _ => true, StartPatience);
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"Broker {node.Id} does not answer: {string.Join('\n', node.Said.TakeLast(30))}", e);
        }
    }

    void Signal(string signal, int node)
    {
        using var kill = Process.Start("kill", [signal, _nodes[node - 1].Process!.Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    string FileOf(Node node) => Path.Combine(_folder.FullName, $"{node.Id}.properties");

    string DataOf(Node node) => Path.Combine(_folder.FullName, $"{node.Id}");

    static string Tool(string name) => Path.Combine(Environment.GetEnvironmentVariable("KAFKA_HOME") ?? "/nowhere", "bin", name);

    static string NewClusterId() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(16)).TrimEnd('=').Replace('+', '-').Replace('/', '_');

    sealed record Node(int Id, int Port, int Controller, int SecurePort)
    {
        public ConcurrentQueue<string> Said { get; } = new();

        public Process? Process { get; set; }
    }
}
