using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using Commerce.Hosting.Native;
using Commerce.Tests.Servers;
using Dapper;
using MySqlConnector;

namespace Commerce.Tests.Faults.Topology;

/// <summary>
/// mysqld processes for one test. Either a primary and a replica behind one address, with semi-synchronous replication: the replica has
/// the log of a transaction before its commit returns. Or one server that accepts only TLS.
/// </summary>
sealed class MySqlPair : IAsyncDisposable
{
    const string Database = "commerce";

    static readonly TimeSpan StartDeadline = TimeSpan.FromMinutes(1);

    static readonly string Installation = Path.Combine(
        Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } set ? set : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"),
        "commerce", "mysql-9.7");

    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("commerce-mysql-");
    readonly string _password = Convert.ToHexString(RandomNumberGenerator.GetBytes(16));
    readonly List<Node> _nodes = [];
    TcpForwarder? _forwarder;
    string _tls = "SslMode=None";

    /// <summary>The connection string for clients.</summary>
    public string ConnectionString => StringOf(_forwarder!.Port) + $";Database={Database}";

    /// <summary>Starts primary and replica with an empty database.</summary>
    public static async Task<MySqlPair> StartAsync()
    {
        var pair = new MySqlPair();
        try
        {
            foreach (var id in new[] { 1, 2 })
            {
                pair._nodes.Add(pair.Launch(id,
                    "--plugin-load-add=semisync_source.so", "--plugin-load-add=semisync_replica.so",
                    // A commit of the primary waits for the replica without limit. The replica itself waits for nobody.
                    $"--rpl-semi-sync-source-enabled={(id == 1 ? "ON" : "OFF")}", "--rpl-semi-sync-source-timeout=4294967295", "--rpl-semi-sync-source-wait-no-replica=ON", "--rpl-semi-sync-replica-enabled=ON"));
            }

            foreach (var node in pair._nodes) await pair.AnswersAsync(node);
            await pair.ExecuteAsync(pair._nodes[1], $"""
                CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {pair._nodes[0].Port}, SOURCE_USER = 'root', SOURCE_PASSWORD = '{pair._password}',
                SOURCE_AUTO_POSITION = 1, GET_SOURCE_PUBLIC_KEY = 1, SOURCE_CONNECT_RETRY = 1;
                START REPLICA;
                SET GLOBAL super_read_only = ON
                """);
            await Eventually.EqualAsync("1", () => pair.StatusAsync(pair._nodes[0], "Rpl_semi_sync_source_clients"));
            await pair.ExecuteAsync(pair._nodes[0], $"CREATE DATABASE {Database}");
            pair._forwarder = new TcpForwarder(pair._nodes[0].Port);
            return pair;
        }
        catch
        {
            await pair.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts one server that refuses connections without TLS, and runs these statements.</summary>
    public static async Task<MySqlPair> StartSecureAsync(string statements)
    {
        var server = new MySqlPair();
        try
        {
            TestCertificates.Write(server._folder.FullName);
            server._nodes.Add(server.Launch(1, $"--ssl-ca={TestCertificates.AuthorityIn(server._folder.FullName)}", $"--ssl-cert={TestCertificates.CertificateIn(server._folder.FullName)}",
                $"--ssl-key={TestCertificates.KeyIn(server._folder.FullName)}", "--require-secure-transport=ON"));
            server._tls = $"SslMode=VerifyFull;SslCa={TestCertificates.AuthorityIn(server._folder.FullName)}";
            await server.AnswersAsync(server._nodes[0]);
            await server.ExecuteAsync(server._nodes[0], statements);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>The connection string for this user of the only server.</summary>
    public string ConnectionStringOf(string user, string password, string? tls = null) =>
        $"Server=127.0.0.1;Port={_nodes[0].Port};User ID={user};Password={password};Database={Database};{tls ?? _tls}";

    /// <summary>Kills the primary, as a power failure would. The replica applies the log that it has and becomes the primary.</summary>
    public async Task FailOverAsync()
    {
        var (primary, replica) = (_nodes[0], _nodes[1]);
        primary.Process.Kill();
        await primary.Process.WaitForExitAsync();
        await ExecuteAsync(replica, "STOP REPLICA IO_THREAD");
        await using (var connection = new MySqlConnection($"{StringOf(replica.Port)};Pooling=false"))
        {
            var received = await connection.QuerySingleAsync<string>("SELECT RECEIVED_TRANSACTION_SET FROM performance_schema.replication_connection_status");
            Assert.Equal(0, await connection.QuerySingleAsync<int>("SELECT WAIT_FOR_EXECUTED_GTID_SET(@received, 60)", new { received }, commandTimeout: 70));
        }

        await ExecuteAsync(replica, "STOP REPLICA; RESET REPLICA ALL; SET GLOBAL super_read_only = OFF; SET GLOBAL read_only = OFF");
        _forwarder!.MoveTo(replica.Port);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_forwarder is not null) await _forwarder.DisposeAsync();
        foreach (var node in _nodes)
        {
            if (!node.Process.HasExited) node.Process.Kill();
            await node.Process.WaitForExitAsync();
            node.Process.Dispose();
        }

        _folder.Delete(recursive: true);
    }

    Node Launch(int id, params string[] more)
    {
        var home = _folder.CreateSubdirectory(id.ToString(CultureInfo.InvariantCulture)).FullName;
        var (data, port, log) = (Path.Combine(home, "data"), FreePorts.Take(), Path.Combine(home, "log"));
        using (var copy = Process.Start("cp", ["-a", "--reflink=auto", Path.Combine(Installation, "template"), data])) copy.WaitForExit();
        var start = Path.Combine(home, "start.sql");
        File.WriteAllText(start, $"""
            SET SQL_LOG_BIN = 0;
            ALTER USER 'root'@'localhost' IDENTIFIED BY '{_password}';
            CREATE USER 'root'@'127.0.0.1' IDENTIFIED BY '{_password}';
            GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;
            """);
        var process = Process.Start(new ProcessStartInfo(Path.Combine(Installation, "my"),
        [
            "mysqld", "--no-defaults", $"--datadir={data}", $"--basedir={Path.Combine(Installation, "usr")}", .. Environment.IsPrivilegedProcess ? ["--user=root"] : Array.Empty<string>(),
            $"--init-file={start}", "--bind-address=127.0.0.1", $"--port={port}", $"--socket={Path.Combine(Path.GetTempPath(), $"mysql-{port}.sock")}", $"--pid-file={home}/pid", $"--log-error={log}",
            "--mysqlx=OFF", "--secure-file-priv=NULL", "--skip-name-resolve", "--character-set-server=utf8mb4", "--collation-server=utf8mb4_0900_ai_ci", "--default-time-zone=+00:00", "--wait-timeout=15",
            "--innodb-buffer-pool-size=256M", "--innodb-redo-log-capacity=64M", "--innodb-flush-log-at-trx-commit=1", "--max-connections=500",
            $"--server-id={id}", "--log-bin=binlog", "--sync-binlog=1", "--gtid-mode=ON", "--enforce-gtid-consistency=ON", "--relay-log=relay", "--skip-replica-start",
            .. more,
        ]))!;
        return new(id, port, process, log);
    }

    async Task AnswersAsync(Node node)
    {
        try
        {
            await Eventually.GetAsync(() => StatusAsync(node, "Uptime"), _ => true, StartDeadline);
        }
        catch (Exception e)
        {
            throw new InvalidOperationException($"MySQL {node.Id} does not answer: {(File.Exists(node.Log) ? await File.ReadAllTextAsync(node.Log) : "it has no log")}", e);
        }
    }

    async Task<string> StatusAsync(Node node, string variable)
    {
        await using var connection = new MySqlConnection($"{StringOf(node.Port)};Pooling=false");
        return (await connection.QuerySingleAsync<(string, string Value)>("SHOW GLOBAL STATUS LIKE @variable", new { variable })).Value;
    }

    async Task ExecuteAsync(Node node, string sql)
    {
        await using var connection = new MySqlConnection($"{StringOf(node.Port)};Pooling=false");
        await connection.ExecuteAsync(sql, commandTimeout: 60);
    }

    string StringOf(int port) => $"Server=127.0.0.1;Port={port};User ID=root;Password={_password};AllowPublicKeyRetrieval=true;{_tls}";

    sealed record Node(int Id, int Port, Process Process, string Log);
}
