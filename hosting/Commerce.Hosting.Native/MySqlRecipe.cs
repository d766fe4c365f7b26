using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Commerce.Hosting.Native;

sealed class MySqlRecipe : NativeServerRecipe
{
    public override string Name => "MySQL";

    public override string HowToInstall => "Install mysqld 8.0.30 or newer, or run hosting/install/mysql.sh.";

    public override bool Fits(ContainerResource container) => container is MySqlServerResource;

    public override string? FindProgram() => InCache("mysql-9.7", "my") ?? OnPath("mysqld");

    public override async Task<IEnumerable<string>> PrepareAsync(NativeServerStart start, CancellationToken cancellationToken)
    {
        var server = (MySqlServerResource)start.Container;
        var data = Path.Combine(start.Home, "data");
        var program = FindProgram()!;
        string[] command =
        [
            .. program == OnPath("mysqld") ? Array.Empty<string>() : ["mysqld"], "--no-defaults", $"--datadir={data}",
            // Without this argument, a private installation does not find its own files.
            .. Path.Combine(Path.GetDirectoryName(program)!, "usr") is var folder && Directory.Exists(folder) ? [$"--basedir={folder}"] : Array.Empty<string>(),
            .. System.Environment.IsPrivilegedProcess ? ["--user=root"] : Array.Empty<string>(),
        ];
        if (!File.Exists(Path.Combine(start.Home, "initialised"))) await InitialiseAsync(start.Home, data, program, command, cancellationToken);

        // The path is limited to 107 bytes and must be unique per server of a machine.
        var socket = Path.Combine(Path.GetTempPath(), string.Create(CultureInfo.InvariantCulture, $"mysql-{start.Port}.sock"));
        return
        [
            .. command, $"--init-file={start.WritePrivately($"{server.Name}.sql", await InitStatementsAsync(server, cancellationToken))}",
            "--bind-address=127.0.0.1", string.Create(CultureInfo.InvariantCulture, $"--port={start.Port}"),
            $"--socket={socket}", $"--pid-file={start.Home}/mysqld.pid", "--mysqlx=OFF", "--secure-file-priv=NULL", "--skip-name-resolve",
            "--character-set-server=utf8mb4", "--collation-server=utf8mb4_0900_ai_ci", "--default-time-zone=+00:00",
            // The server is small, because many servers share a machine. It is as durable as in production: every commit reaches the disk.
            "--innodb-buffer-pool-size=256M", "--innodb-redo-log-capacity=64M", "--innodb-log-buffer-size=4M", "--innodb-flush-log-at-trx-commit=1",
            "--innodb-buffer-pool-dump-at-shutdown=OFF", "--innodb-buffer-pool-load-at-startup=OFF",
            "--performance-schema=OFF", "--skip-log-bin", "--max-connections=500", "--table-open-cache=400", "--table-definition-cache=400",
            .. start.Arguments,
        ];
    }

    public override IHealthCheck HealthCheckOf(ContainerResource container) =>
        new TcpHealthCheck(((MySqlServerResource)container).PrimaryEndpoint, ReadGreetingAsync);

    static async Task InitialiseAsync(string home, string data, string program, string[] command, CancellationToken cancellationToken)
    {
        // An interrupted start leaves an unusable folder.
        if (Directory.Exists(data)) Directory.Delete(data, recursive: true);
        if (InCache("mysql-9.7", "template") is { } template)
            await RunAsync("cp", ["-a", "--reflink=auto", template, data], cancellationToken);
        else
            await RunAsync(program, [.. command, "--initialize-insecure", "--skip-log-bin"], cancellationToken);
        await File.WriteAllTextAsync(Path.Combine(home, "initialised"), "", cancellationToken);
    }

    static async Task RunAsync(string command, string[] arguments, CancellationToken cancellationToken)
    {
        using var process = Process.Start(new ProcessStartInfo(command, arguments) { RedirectStandardError = true })!;
        var errors = await process.StandardError.ReadToEndAsync(cancellationToken);
        await process.WaitForExitAsync(cancellationToken);
        if (process.ExitCode != 0)
            throw new DistributedApplicationException($"'{command}' ended with exit code {process.ExitCode}: {errors}");
    }

    /// <summary>
    /// Returns the statements that run at every start before connections are accepted. They make password and databases match the model.
    /// </summary>
    static async Task<string> InitStatementsAsync(MySqlServerResource server, CancellationToken cancellationToken)
    {
        var password = (await server.PasswordParameter.GetValueAsync(cancellationToken))!
            .Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "''", StringComparison.Ordinal);
        var databases = string.Concat(server.Databases.Values.Select(
            name => $"CREATE DATABASE IF NOT EXISTS `{name.Replace("`", "``", StringComparison.Ordinal)}`;\n"));
        return $"""
            ALTER USER 'root'@'localhost' IDENTIFIED BY '{password}';
            CREATE USER IF NOT EXISTS 'root'@'127.0.0.1' IDENTIFIED BY '{password}';
            ALTER USER 'root'@'127.0.0.1' IDENTIFIED BY '{password}';
            GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;
            {databases}
            """;
    }

    /// <summary>Reads the server's greeting, which is its version or the reason why it refuses. The server sends it first.</summary>
    static async Task<string?> ReadGreetingAsync(NetworkStream stream, CancellationToken cancellationToken)
    {
        var header = new byte[4];
        await stream.ReadExactlyAsync(header, cancellationToken);
        var body = new byte[header[0] | (header[1] << 8) | (header[2] << 16)];
        await stream.ReadExactlyAsync(body, cancellationToken);
        return body is [10, ..] ? null : Encoding.UTF8.GetString(body.AsSpan(Math.Min(3, body.Length)));
    }
}
