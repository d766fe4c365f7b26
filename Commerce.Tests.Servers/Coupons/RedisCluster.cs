using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using StackExchange.Redis;

namespace Commerce.Tests.Servers.Coupons;

/// <summary>A cluster of three redis-server processes for one test.</summary>
sealed class RedisCluster : IAsyncDisposable
{
    const int Nodes = 3;

    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("commerce-cluster-");
    readonly List<Process> _servers = [];
    readonly List<int> _ports = [];

    /// <summary>A client of the cluster.</summary>
    public IConnectionMultiplexer Client { get; private set; } = null!;

    public static async Task<RedisCluster> StartAsync()
    {
        var cluster = new RedisCluster();
        foreach (var port in FreePorts()) cluster.StartNode(port);
        foreach (var port in cluster._ports) await Eventually.EqualAsync("PONG", () => AskAsync($"-p {port} ping"));
        await AskAsync("--cluster create --cluster-yes " + string.Join(' ', cluster._ports.Select(p => $"127.0.0.1:{p}")));
        foreach (var port in cluster._ports)
            await Eventually.GetAsync(() => AskAsync($"-p {port} cluster info"), info => info.Contains("cluster_state:ok", StringComparison.Ordinal));
        cluster.Client = await ConnectionMultiplexer.ConnectAsync(string.Join(',', cluster._ports.Select(p => $"127.0.0.1:{p}")) + ",allowAdmin=true");
        return cluster;
    }

    /// <summary>Freezes every server; its connections stay open.</summary>
    public void Freeze() => Signal("-STOP");

    /// <summary>Resumes the servers, which then answer the waiting requests.</summary>
    public void Thaw() => Signal("-CONT");

    void Signal(string signal)
    {
        using var kill = Process.Start("kill", [signal, .. _servers.Select(s => s.Id.ToString(CultureInfo.InvariantCulture))]);
        kill.WaitForExit();
    }

    public async ValueTask DisposeAsync()
    {
        Client?.Dispose();
        foreach (var server in _servers)
        {
            server.Kill();
            await server.WaitForExitAsync();
            server.Dispose();
        }

        _folder.Delete(recursive: true);
    }

    void StartNode(int port)
    {
        var data = _folder.CreateSubdirectory($"{port}").FullName;
        _ports.Add(port);
        _servers.Add(Run("redis-server", $"--port {port} --bind 127.0.0.1 --cluster-enabled yes --dir {data} --save \"\""));
    }

    static async Task<string> AskAsync(string arguments)
    {
        using var cli = Run("redis-cli", arguments);
        var answer = await cli.StandardOutput.ReadToEndAsync();
        await cli.WaitForExitAsync();
        return answer.Trim();
    }

    /// <summary>The privately installed redis-server, or the one on PATH.</summary>
    static Process Run(string program, string arguments)
    {
        var cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } set
            ? set : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
        var wrapper = Path.Combine(cache, "commerce", "redis", "my");
        var start = File.Exists(wrapper) ? new ProcessStartInfo(wrapper, $"{program} {arguments}") : new ProcessStartInfo(program, arguments);
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        return Process.Start(start)!;
    }

    /// <summary>Free ports whose cluster bus port (10,000 higher) is also free. Outside of the kernel's range for clients.</summary>
    static List<int> FreePorts()
    {
        var ports = new List<int>();
        for (var port = Random.Shared.Next(11_000, 21_000); ports.Count < Nodes; port++)
            if (IsFree(port) && IsFree(port + 10_000)) ports.Add(port);
        return ports;

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
}
