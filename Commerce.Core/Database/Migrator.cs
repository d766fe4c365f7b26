using System.Data.Common;
using System.Security.Cryptography;
using System.Text;
using Dapper;

namespace Commerce.Core.Database;

/// <summary>Applies the numbered files of <c>Migrations/</c> in order, each once, under a lock. Concurrent runs are safe.</summary>
public sealed partial class Migrator(DbDataSource source, TimeProvider clock, ILogger<Migrator> logger)
{
    static readonly TimeSpan LockWait = TimeSpan.FromSeconds(60);

    /// <summary>Applies missing migrations and returns their number. Waits at most <paramref name="deadline"/> for the server.</summary>
    /// <exception cref="MigrationException">The server is unavailable, or an applied file was changed or removed.</exception>
    public async Task<int> MigrateAsync(TimeSpan deadline, CancellationToken cancellationToken)
    {
        await using var connection = await ConnectAsync(deadline, cancellationToken);
        if (await connection.ExecuteScalarAsync<int?>("SELECT GET_LOCK('commerce.migrations', @seconds)", new { seconds = (int)LockWait.TotalSeconds }) != 1)
            throw new MigrationException($"Another migration holds the lock for more than {LockWait.TotalSeconds:F0} s.");
        try
        {
            return await ApplyAsync(connection, EmbeddedText.ReadFolder("Database/Migrations"));
        }
        finally
        {
            await connection.ExecuteAsync("DO RELEASE_LOCK('commerce.migrations')");
        }
    }

    /// <summary>Inserts the missing rows of <c>Seed/development.sql</c>.</summary>
    public async Task SeedAsync(CancellationToken cancellationToken)
    {
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        var rows = await connection.ExecuteAsync(EmbeddedText.Read("Database/Seed/development.sql"));
        LogSeeded(logger, rows);
    }

    internal async Task<int> ApplyAsync(DbConnection connection, IReadOnlyList<(string Name, string Text)> files)
    {
        await connection.ExecuteAsync("""
            CREATE TABLE IF NOT EXISTS schema_migration (
              name       VARCHAR(200) NOT NULL PRIMARY KEY,
              sha256     CHAR(64)     NOT NULL,
              applied_at DATETIME(6)  NOT NULL DEFAULT CURRENT_TIMESTAMP(6))
            """);
        var applied = (await connection.QueryAsync<(string Name, string Sha256)>("SELECT name, sha256 FROM schema_migration"))
            .ToDictionary(a => a.Name, a => a.Sha256);

        foreach (var (name, hash) in applied)
        {
            // A newer version, which is being deployed or was rolled back, applied this migration. Its schema also serves this version
            // (docs/migrations.md).
            if (files.Count > 0 && string.CompareOrdinal(name, files[^1].Name) > 0) continue;
            if (files.FirstOrDefault(f => f.Name == name) is not { Name: not null } file)
                throw new MigrationException($"Migration {name} was applied to this database but is not among the files any more.");
            if (Hash(file.Text) != hash)
                throw new MigrationException($"Migration {name} was changed after it had been applied. Write a new migration instead.");
        }

        var fresh = files.Where(f => !applied.ContainsKey(f.Name)).ToList();
        foreach (var (name, text) in fresh)
        {
            // MySQL commits after every CREATE or ALTER. A file that fails half-way is reported by name, and an operator must complete it.
            await connection.ExecuteAsync(text);
            await connection.ExecuteAsync("INSERT INTO schema_migration (name, sha256) VALUES (@name, @hash)", new { name, hash = Hash(text) });
            LogApplied(logger, name);
        }

        if (fresh.Count == 0) LogUpToDate(logger, files.Count);
        return fresh.Count;
    }

    async Task<DbConnection> ConnectAsync(TimeSpan deadline, CancellationToken cancellationToken)
    {
        var start = clock.GetTimestamp();
        while (true)
        {
            try
            {
                return await source.OpenConnectionAsync(cancellationToken);
            }
            catch (DbException e)
            {
                if (clock.GetElapsedTime(start) >= deadline)
                    throw new MigrationException($"MySQL cannot be reached within {deadline.TotalSeconds:F0} s: {e.Message}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(500), clock, cancellationToken);
        }
    }

    static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    [LoggerMessage(Level = LogLevel.Information, Message = "Applied {Migration}")]
    static partial void LogApplied(ILogger logger, string migration);

    [LoggerMessage(Level = LogLevel.Information, Message = "The schema is up to date ({Count} migrations)")]
    static partial void LogUpToDate(ILogger logger, int count);

    [LoggerMessage(Level = LogLevel.Information, Message = "Seeded {Rows} rows of development data")]
    static partial void LogSeeded(ILogger logger, int rows);
}

/// <summary>The schema is not up to date. The message gives the reason in one line.</summary>
public sealed class MigrationException(string message) : Exception(message);
