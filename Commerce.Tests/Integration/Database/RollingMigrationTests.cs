using System.Data.Common;
using System.Text.RegularExpressions;
using Aspire.Hosting.Testing;
using Commerce.Core.Database;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace Commerce.Tests.Integration.Database;

/// <summary>
/// Processes of the previous version keep running while the schema is updated, and run again after a rollback
/// (<c>docs/migrations.md</c>). <c>previous-version.sql</c> has the statements of that version.
/// </summary>
public sealed partial class RollingMigrationTests(CommerceStack stack) : StackTests(stack)
{
    const string PreviousVersion = "previous-version.sql";

    static readonly string Text = ReadPreviousVersion();

    /// <summary>The last migration of the previous version.</summary>
    static readonly string PreviousSchema = SchemaLine().Match(Text).Groups[1].Value;

    static IReadOnlyList<(string Name, string Text)> Files => Core.EmbeddedText.ReadFolder("Database/Migrations");

    [Fact]
    public async Task What_the_previous_version_reads_and_writes_works_on_the_new_schema()
    {
        var (database, name) = await NewDatabaseAsync();
        await using var _ = database;
        await using var connection = await database.OpenConnectionAsync(Cancelled);
        await Migrator(database).ApplyAsync(connection, Files);
        var statements = StatementEnd().Split(CommentLine().Replace(Text, "")).Select(s => s.Trim()).Where(s => s.Length > 0).ToList();
        Assert.True(statements.Count > 150);

        var broken = new List<string>();
        foreach (var statement in statements)
        {
            try
            {
                // The statement is planned and not executed. A missing or changed table or column is found without rows.
                await connection.ExecuteAsync($"EXPLAIN {statement}");
            }
            catch (DbException e)
            {
                broken.Add($"{e.Message}: {statement}");
            }
        }

        Assert.Empty(broken);
        await DropAsync(name);
    }

    [Fact]
    public async Task A_column_that_the_previous_version_knows_stays_and_one_that_it_does_not_know_needs_no_value()
    {
        var (database, name) = await NewDatabaseAsync();
        await using var _ = database;
        await using var connection = await database.OpenConnectionAsync(Cancelled);
        await Migrator(database).ApplyAsync(connection, [.. Files.Where(f => string.CompareOrdinal(f.Name, PreviousSchema) <= 0)]);
        var before = await ColumnsAsync();
        await Migrator(database).ApplyAsync(connection, Files);
        var after = await ColumnsAsync();

        Assert.Empty(before.Keys.Except(after.Keys));
        var tables = before.Keys.Select(c => c.Table).ToHashSet();
        Assert.Empty(after.Where(c => tables.Contains(c.Key.Table) && !before.ContainsKey(c.Key) && !c.Value.Optional).Select(c => c.Key));
        Assert.Empty(before.Where(c => after[c.Key].Length < c.Value.Length).Select(c => c.Key));
        await DropAsync(name);

        async Task<Dictionary<(string Table, string Column), (bool Optional, long Length)>> ColumnsAsync() =>
            (await connection.QueryAsync<(string Table, string Column, long Optional, long Length)>("""
                SELECT table_name, column_name, is_nullable = 'YES' OR column_default IS NOT NULL OR extra <> '', COALESCE(character_maximum_length, numeric_precision, 0)
                FROM information_schema.columns WHERE table_schema = DATABASE()
                """)).ToDictionary(c => (c.Table, c.Column), c => (c.Optional != 0, c.Length));
    }

    [Fact]
    public void A_migration_that_takes_something_away_says_which_version_has_stopped_using_it()
    {
        var taking = Files.Where(f => string.CompareOrdinal(f.Name, PreviousSchema) > 0 && Taking().IsMatch(CommentLine().Replace(f.Text, "")));

        Assert.DoesNotContain(taking, f => !ContractLine().IsMatch(f.Text));
    }

    [Fact]
    public async Task A_process_of_the_previous_version_starts_on_the_new_schema()
    {
        var (database, name) = await NewDatabaseAsync();
        await using var _ = database;
        await using var connection = await database.OpenConnectionAsync(Cancelled);
        await Migrator(database).ApplyAsync(connection, [.. Files, ("9999_of_the_next_version.sql", "CREATE TABLE next_version (id INT PRIMARY KEY)")]);

        Assert.Equal(0, await Migrator(database).ApplyAsync(connection, Files));
        await DropAsync(name);
    }

    static Migrator Migrator(DbDataSource database) => new(database, TimeProvider.System, NullLogger<Migrator>.Instance);

    static string ReadPreviousVersion()
    {
        using var stream = typeof(RollingMigrationTests).Assembly.GetManifestResourceStream(PreviousVersion)!;
        return new StreamReader(stream).ReadToEnd();
    }

    async Task<(DbDataSource Database, string Name)> NewDatabaseAsync()
    {
        var name = $"rolling_{Guid.NewGuid():N}";
        await Stack.Services.GetRequiredService<MySqlDatabase>().ExecuteAsync($"CREATE DATABASE {name}", null, Cancelled);
        // In the statements, @name is an unset variable, which stands for any value.
        var connection = new DbConnectionStringBuilder { ConnectionString = (await Stack.App.GetConnectionStringAsync("commerce", Cancelled))! };
        connection["Database"] = name;
        connection["Allow User Variables"] = "true";
        var builder = Host.CreateApplicationBuilder();
        builder.Configuration["ConnectionStrings:commerce"] = connection.ConnectionString;
        builder.AddCommerceDatabase();
        return (builder.Build().Services.GetRequiredService<DbDataSource>(), name);
    }

    Task<int> DropAsync(string name) => Stack.Services.GetRequiredService<MySqlDatabase>().ExecuteAsync($"DROP DATABASE {name}", null, Cancelled);

    [GeneratedRegex(@"^-- Schema: (\S+)$", RegexOptions.Multiline)]
    private static partial Regex SchemaLine();

    [GeneratedRegex(@"^\s*--.*$", RegexOptions.Multiline)]
    private static partial Regex CommentLine();

    [GeneratedRegex(@";[ \t]*(?:\r?\n|$)")]
    private static partial Regex StatementEnd();

    [GeneratedRegex(@"\b(DROP\s+(COLUMN|TABLE)|RENAME|CHANGE\s+(COLUMN\s+)?\w+)\b", RegexOptions.IgnoreCase)]
    private static partial Regex Taking();

    [GeneratedRegex(@"^-- Contract: \d{4}_\S+", RegexOptions.Multiline)]
    private static partial Regex ContractLine();
}
