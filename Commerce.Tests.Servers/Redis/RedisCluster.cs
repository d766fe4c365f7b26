using System.Diagnostics;
using System.Globalization;
using Commerce.Hosting.Native;
using StackExchange.Redis;

namespace Commerce.Tests.Servers.Redis;

/// <summary>
/// redis-server processes for one test: a cluster of three primaries with a number of replicas each, or one primary with replicas.
/// </summary>
public sealed class RedisCluster : IAsyncDisposable
{
    const int Primaries = 3;

    readonly DirectoryInfo _folder;
    readonly SortedDictionary<int, Process> _servers = [];
    readonly string[] _arguments;
    ConnectionMultiplexer? _client;

    RedisCluster(params string[] arguments) : this(Directory.CreateTempSubdirectory("commerce-redis-"), arguments)
    {
    }

    RedisCluster(DirectoryInfo folder, params string[] arguments) => (_folder, _arguments) = (folder, arguments);

    /// <summary>A client of the cluster.</summary>
    public IConnectionMultiplexer Client => _client!;

    /// <summary>The ports of the running servers.</summary>
    public IReadOnlyList<int> Ports => [.. _servers.Keys];

    /// <summary>The connection string for clients.</summary>
    public string ConnectionString => string.Join(',', _servers.Keys.Select(p => $"127.0.0.1:{p}"));

    /// <summary>
    /// Starts three primaries with a number of replicas each. A replica takes over two seconds after its primary has failed.
    /// </summary>
    public static async Task<RedisCluster> StartAsync(int replicas = 0)
    {
        var cluster = new RedisCluster("--cluster-enabled yes", "--cluster-node-timeout 2000");
        foreach (var port in TakePorts(Primaries * (1 + replicas))) cluster.StartNode(port);
        await cluster.AnswerAsync();
        await AskAsync("--cluster create --cluster-yes " + string.Join(' ', cluster._servers.Keys.Select(p => $"127.0.0.1:{p}")) + $" --cluster-replicas {replicas}");
        foreach (var port in cluster._servers.Keys)
            await Eventually.GetAsync(() => AskAsync($"-p {port} cluster info"), info => info.Contains("cluster_state:ok", StringComparison.Ordinal));
        if (replicas > 0)
            await Eventually.EqualAsync(Primaries * replicas, async () => await CountAsync(cluster._servers.Keys, "master_link_status:up"));
        await cluster.ConnectAsync();
        return cluster;
    }

    /// <summary>Starts a primary and its replica, without a cluster.</summary>
    public static async Task<RedisCluster> StartPairAsync()
    {
        var pair = new RedisCluster();
        var ports = TakePorts(2);
        foreach (var port in ports) pair.StartNode(port);
        await pair.AnswerAsync();
        await AskAsync($"-p {ports[1]} replicaof 127.0.0.1 {ports[0]}");
        await Eventually.EqualAsync(1, () => CountAsync(ports, "master_link_status:up"));
        await pair.ConnectAsync();
        return pair;
    }

    /// <summary>
    /// Starts one server that accepts only TLS, with users that have these rights (in the syntax of <c>ACL SETUSER</c>).
    /// </summary>
    public static async Task<RedisCluster> StartSecureAsync(params string[] users)
    {
        var folder = Directory.CreateTempSubdirectory("commerce-redis-");
        TestCertificates.Write(folder.FullName);
        var acl = Path.Combine(folder.FullName, "users.acl");
        await File.WriteAllLinesAsync(acl, ["user default off", .. users.Select(u => $"user {u}")]);
        var server = new RedisCluster(folder, $"--tls-cert-file {TestCertificates.CertificateIn(folder.FullName)}", $"--tls-key-file {TestCertificates.KeyIn(folder.FullName)}",
            $"--tls-ca-cert-file {TestCertificates.AuthorityIn(folder.FullName)}", "--tls-auth-clients no", $"--aclfile {acl}");
        var port = FreePorts.Take();
        server.StartNode(port, "--port 0 --tls-port");
        return server;
    }

    /// <summary>The certificate authority of a server with TLS.</summary>
    public string Authority => TestCertificates.AuthorityIn(_folder.FullName);

    /// <summary>Freezes every server. The connections stay open.</summary>
    public void Freeze() => Signal("-STOP");

    /// <summary>Resumes the servers. They then answer the requests that arrived meanwhile.</summary>
    public void Thaw() => Signal("-CONT");

    /// <summary>Kills a server, as a power failure would.</summary>
    public async Task KillAsync(int port)
    {
        if (!_servers.Remove(port, out var server)) return;
        server.Kill();
        await server.WaitForExitAsync();
        server.Dispose();
    }

    /// <summary>Starts a killed server again, with the data in its folder.</summary>
    public void StartNode(int port) => StartNode(port, "--port");

    void StartNode(int port, string listen)
    {
        var data = _folder.CreateSubdirectory($"{port}").FullName;
        _servers[port] = Run("redis-server", $"{listen} {port} --bind 127.0.0.1 --dir {data} --save \"\" {string.Join(' ', _arguments)}");
    }

    /// <summary>Returns the port of the primary with a key, as the first server sees it, or 0 if there is none at the moment.</summary>
    public async Task<int> PrimaryOfAsync(string key)
    {
        var slot = int.Parse(await AskAsync($"-p {Ports[0]} cluster keyslot {key}"), CultureInfo.InvariantCulture);
        foreach (var line in (await AskAsync($"-p {Ports[0]} cluster nodes")).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var parts = line.Split(' ');
            if (!parts[2].Contains("master", StringComparison.Ordinal) || parts[2].Contains("fail", StringComparison.Ordinal)) continue;
            foreach (var range in parts[8..].Where(r => !r.StartsWith('[')))
            {
                var ends = range.Split('-').Select(e => int.Parse(e, CultureInfo.InvariantCulture)).ToArray();
                if (slot >= ends[0] && slot <= ends[^1]) return int.Parse(parts[1].Split('@')[0].Split(':')[1], CultureInfo.InvariantCulture);
            }
        }

        return 0;
    }

    /// <summary>Moves the slot of a key with all its keys to another primary, as an operator would.</summary>
    public async Task MoveSlotAsync(string key, int to)
    {
        var from = await PrimaryOfAsync(key);
        var (slot, fromId, toId) = (await AskAsync($"-p {from} cluster keyslot {key}"), await AskAsync($"-p {from} cluster myid"), await AskAsync($"-p {to} cluster myid"));
        await AskAsync($"-p {to} cluster setslot {slot} importing {fromId}");
        await AskAsync($"-p {from} cluster setslot {slot} migrating {toId}");
        while (await AskAsync($"-p {from} cluster getkeysinslot {slot} 100") is { Length: > 0 } keys)
            await AskAsync($"-p {from} migrate 127.0.0.1 {to} \"\" 0 5000 keys {keys.ReplaceLineEndings(" ")}");
        foreach (var port in new[] { to, from }) await AskAsync($"-p {port} cluster setslot {slot} node {toId}");
    }

    /// <summary>Returns the primaries, as the first server sees them.</summary>
    public async Task<IReadOnlyList<int>> PrimariesAsync() =>
    [
        .. (await AskAsync($"-p {Ports[0]} cluster nodes")).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' '))
            .Where(parts => parts[2].Contains("master", StringComparison.Ordinal) && !parts[2].Contains("fail", StringComparison.Ordinal))
            .Select(parts => int.Parse(parts[1].Split('@')[0].Split(':')[1], CultureInfo.InvariantCulture)),
    ];

    /// <summary>Returns a replica of the server at this port.</summary>
    public static async Task<int> ReplicaOfAsync(int port)
    {
        var info = await AskAsync($"-p {port} info replication");
        var replica = info.Split('\n').First(l => l.StartsWith("slave0:", StringComparison.Ordinal));
        return int.Parse(replica.Split("port=")[1].Split(',')[0], CultureInfo.InvariantCulture);
    }

    /// <summary>Runs redis-cli.</summary>
    public static async Task<string> AskAsync(string arguments)
    {
        using var cli = Run("redis-cli", arguments);
        var answer = await cli.StandardOutput.ReadToEndAsync();
        await cli.WaitForExitAsync();
        return answer.Trim();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _client?.Dispose();
        foreach (var port in Ports) await KillAsync(port);
        _folder.Delete(recursive: true);
    }

    async Task ConnectAsync() => _client = await ConnectionMultiplexer.ConnectAsync(ConnectionString + ",allowAdmin=true,abortConnect=false,connectTimeout=2000,configCheckSeconds=2");

    async Task AnswerAsync()
    {
        foreach (var port in _servers.Keys) await Eventually.EqualAsync("PONG", () => AskAsync($"-p {port} ping"));
    }

    static async Task<int> CountAsync(IEnumerable<int> ports, string text)
    {
        var count = 0;
        foreach (var port in ports)
            if ((await AskAsync($"-p {port} info replication")).Contains(text, StringComparison.Ordinal)) count++;
        return count;
    }

    void Signal(string signal)
    {
        using var kill = Process.Start("kill", [signal, .. _servers.Values.Select(s => s.Id.ToString(CultureInfo.InvariantCulture))]);
        kill.WaitForExit();
    }

    /// <summary>Runs a program of the private Redis installation, or else the one on PATH.</summary>
    static Process Run(string program, string arguments)
    {
        var cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } set
            ? set : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
        var wrapper = Path.Combine(cache, "commerce", "redis", "my");
        var start = File.Exists(wrapper) ? new ProcessStartInfo(wrapper, $"{program} {arguments}") : new ProcessStartInfo(program, arguments);
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        var process = Process.Start(start)!;
        if (program != "redis-server") return process;
        // The output is read, because a full pipe would block the process.
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    /// <summary>Takes ports in ascending order, so the first one is the primary's. The port of the cluster bus is higher by 10,000.</summary>
    static List<int> TakePorts(int count) => [.. Enumerable.Range(0, count).Select(_ => FreePorts.Take(neighbour: 10_000)).Order()];
}
