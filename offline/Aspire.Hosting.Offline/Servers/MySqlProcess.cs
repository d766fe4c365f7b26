using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Servers;

/// <summary>Prepares a data folder and the command line of mysqld.</summary>
internal sealed class MySqlProcess(MySqlServerResource server, DataFolder data)
{
    /// <summary>The server speaks first: its version, or why it refuses.</summary>
    public static async Task<string?> ReadGreetingAsync(NetworkStream stream, CancellationToken cancellationToken)
    {
        var packet = new byte[4];
        await stream.ReadExactlyAsync(packet, cancellationToken);
        var body = new byte[packet[0] | (packet[1] << 8) | (packet[2] << 16)];
        await stream.ReadExactlyAsync(body, cancellationToken);
        return body is [10, ..] ? null : $"mysqld refuses connections: {Encoding.UTF8.GetString(body.AsSpan(Math.Min(3, body.Length)))}";
    }

    public async Task<ProcessDescription> PrepareAsync(CancellationToken cancellationToken)
    {
        var home = server.TryGetLastAnnotation<DataVolumeAnnotation>(out var volume) ? data.Volume(volume.Name)
            : Directory.CreateDirectory(Path.Combine(data.Run, server.Name)).FullName;
        var folder = Path.Combine(home, "data");
        string[] common = ["mysqld", "--no-defaults", $"--datadir={folder}", .. BaseFolder(), .. Environment.IsPrivilegedProcess ? ["--user=root"] : Array.Empty<string>()];
        if (!File.Exists(Path.Combine(home, "initialised"))) await InitialiseAsync(home, folder, common, cancellationToken);

        var init = Path.Combine(data.Run, $"{server.Name}.sql");
        DataFolder.WritePrivately(init, await InitStatementsAsync(cancellationToken));
        var temporary = Directory.CreateDirectory(Path.Combine(data.Run, $"{server.Name}-tmp")).FullName;
        var port = server.PrimaryEndpoint.Port.ToString(CultureInfo.InvariantCulture);
        return new(ServerPrograms.MySql, home,
        [
            .. common, $"--init-file={init}", $"--tmpdir={temporary}",
            "--bind-address=127.0.0.1", $"--port={port}", $"--socket={data.Sockets}/{server.Name}.sock", $"--pid-file={data.Sockets}/{server.Name}.pid",
            "--mysqlx=OFF", "--secure-file-priv=NULL", "--skip-name-resolve",
            "--character-set-server=utf8mb4", "--collation-server=utf8mb4_0900_ai_ci", "--default-time-zone=+00:00",
            // Small, for many servers on one machine; but durable: every commit reaches the disk, as in production.
            "--innodb-buffer-pool-size=256M", "--innodb-redo-log-capacity=64M", "--innodb-log-buffer-size=4M", "--innodb-flush-log-at-trx-commit=1",
            "--innodb-buffer-pool-dump-at-shutdown=OFF", "--innodb-buffer-pool-load-at-startup=OFF",
            "--performance-schema=OFF", "--skip-log-bin", "--max-connections=500", "--table-open-cache=400", "--table-definition-cache=400",
        ]);
    }

    static string[] BaseFolder() =>
        Path.Combine(Path.GetDirectoryName(ServerPrograms.MySql)!, "usr") is var usr
            && File.Exists(Path.Combine(usr, "sbin", "mysqld")) ? [$"--basedir={usr}"] : [];

    static async Task InitialiseAsync(string home, string folder, string[] common, CancellationToken cancellationToken)
    {
        // What an interrupted start left is not usable.
        if (Directory.Exists(folder)) Directory.Delete(folder, recursive: true);

        if (ServerPrograms.MySqlTemplate is { } template)
            await RunAsync("cp", ["-a", "--reflink=auto", template, folder], cancellationToken);
        else
            await RunAsync(ServerPrograms.MySql, [.. common, "--initialize-insecure", "--skip-log-bin", "--innodb-redo-log-capacity=64M"],
                cancellationToken);

        await File.WriteAllTextAsync(Path.Combine(home, "initialised"), "", cancellationToken);
    }

    static async Task RunAsync(string command, string[] args, CancellationToken cancellationToken)
    {
        using var process = Process.Start(new ProcessStartInfo(command, args) { RedirectStandardError = true })!;
        var errors = await process.StandardError.ReadToEndAsync(cancellationToken);
        await process.WaitForExitAsync(cancellationToken);
        if (process.ExitCode != 0)
            throw new DistributedApplicationException($"'{command}' ended with exit code {process.ExitCode}: {errors}");
    }

    /// <summary>
    /// Run at every start, before connections are accepted: the password and the databases are always those of the model.
    /// </summary>
    async Task<string> InitStatementsAsync(CancellationToken cancellationToken)
    {
        var password = (await server.PasswordParameter.GetValueAsync(cancellationToken))!
            .Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "''", StringComparison.Ordinal);
        var statements = new StringBuilder()
            .AppendLine(CultureInfo.InvariantCulture, $"ALTER USER 'root'@'localhost' IDENTIFIED BY '{password}';")
            .AppendLine(CultureInfo.InvariantCulture, $"CREATE USER IF NOT EXISTS 'root'@'127.0.0.1' IDENTIFIED BY '{password}';")
            .AppendLine(CultureInfo.InvariantCulture, $"ALTER USER 'root'@'127.0.0.1' IDENTIFIED BY '{password}';")
            .AppendLine("GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;");
        foreach (var database in server.Databases.Values)
            statements.AppendLine(CultureInfo.InvariantCulture, $"CREATE DATABASE IF NOT EXISTS `{database.Replace("`", "``",
                StringComparison.Ordinal)}`;");

        return statements.ToString();
    }
}
