using System.Data.Common;
using Aspire.Hosting.Testing;
using Commerce.Core.Database;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;

namespace Commerce.Tests.Integration.Database;

/// <summary>Tests the schema, on separate databases of the stack's server.</summary>
public sealed class MigrationTests(CommerceStack stack) : StackTests(stack)
{
    [Fact]
    public async Task An_empty_database_gets_everything_once()
    {
        await using var database = await NewDatabaseAsync();
        Assert.Equal(Files.Count, await Migrator(database).MigrateAsync(TimeSpan.FromMinutes(1), Cancelled));
        Assert.Equal(0, await Migrator(database).MigrateAsync(TimeSpan.FromMinutes(1), Cancelled));
    }

    [Fact]
    public async Task Several_at_once_apply_each_file_once()
    {
        await using var database = await NewDatabaseAsync();
        var applied = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Migrator(database).MigrateAsync(TimeSpan.FromMinutes(1), Cancelled)));
        Assert.Equal(Files.Count, applied.Sum());
    }

    [Fact]
    public async Task A_changed_old_migration_is_refused_by_name()
    {
        await using var database = await NewDatabaseAsync();
        await using var connection = await database.OpenConnectionAsync(Cancelled);
        await Migrator(database).ApplyAsync(connection, [("0001_first.sql", "CREATE TABLE first (id INT PRIMARY KEY)")]);
        var refusal = await Assert.ThrowsAsync<MigrationException>(() =>
            Migrator(database).ApplyAsync(connection, [("0001_first.sql", "CREATE TABLE first (id BIGINT PRIMARY KEY)")]));
        Assert.Contains("0001_first.sql", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_removed_old_migration_is_refused_by_name()
    {
        await using var database = await NewDatabaseAsync();
        await using var connection = await database.OpenConnectionAsync(Cancelled);
        await Migrator(database).ApplyAsync(connection, [("0001_first.sql", "CREATE TABLE first (id INT PRIMARY KEY)")]);
        var refusal = await Assert.ThrowsAsync<MigrationException>(() => Migrator(database).ApplyAsync(connection, []));
        Assert.Contains("0001_first.sql", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_coupon_and_an_order_of_an_earlier_version_keep_their_meaning()
    {
        await using var database = await NewDatabaseAsync();
        await using var connection = await database.OpenConnectionAsync(Cancelled);
        await Migrator(database).ApplyAsync(connection, [.. Files.Where(f => string.CompareOrdinal(f.Name, "0031") < 0)]);
        await CreateAsync("before");
        await Migrator(database).ApplyAsync(connection, Files);
        // A process of the previous version creates the coupon during the deployment.
        await CreateAsync("during");

        // An order only had to cost more than the discount.
        Assert.Equal(
            [("before", 5_001L), ("during", 5_001L)],
            await connection.QueryAsync<(string, long)>("""
                SELECT name, min_order_amount FROM coupon
                WHERE percent IS NULL AND valid_from IS NULL AND valid_until IS NULL AND product_ids IS NULL AND event_ids IS NULL ORDER BY id
                """));
        // All lines share the discount, and no terms explain it.
        Assert.Equal(4, await connection.ExecuteScalarAsync<int>("SELECT COUNT(*) FROM order_item i JOIN orders o ON o.id = i.order_id WHERE i.discounted AND o.coupon_version IS NULL"));

        async Task CreateAsync(string name) => await connection.ExecuteAsync("""
            INSERT INTO coupon (name, discount, total_quantity, starts_at, ends_at) VALUES (@name, 5000, 1, '2026-01-01', '2026-02-01');
            INSERT INTO orders (id, user_id, status, total_amount, discount, coupon_id, hold_expires_at) VALUES (@name, 'u', 'CREATED', 1000, 5000, LAST_INSERT_ID(), '2026-01-01');
            INSERT INTO order_item (order_id, product_id, quantity, price) VALUES (@name, 1, 1, 2000), (@name, 2, 1, 4000)
            """, new { name });
    }

    [Fact]
    public async Task An_unreachable_server_ends_with_one_clear_line()
    {
        await using var nowhere = DataSource("Server=127.0.0.1;Port=1;User ID=root;Password=none;Database=none");
        var refusal = await Assert.ThrowsAsync<MigrationException>(() => Migrator(nowhere).MigrateAsync(TimeSpan.FromSeconds(1), Cancelled));
        Assert.StartsWith("MySQL cannot be reached", refusal.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refusal.Message);
    }

    [Fact]
    public async Task Seeding_twice_changes_nothing()
    {
        await using var database = await NewDatabaseAsync();
        await Migrator(database).MigrateAsync(TimeSpan.FromMinutes(1), Cancelled);
        await Migrator(database).SeedAsync(Cancelled);
        await using var connection = await database.OpenConnectionAsync(Cancelled);
        var before = await connection.ExecuteScalarAsync<int>("SELECT (SELECT COUNT(*) FROM coupon) + (SELECT COUNT(*) FROM product) + (SELECT COUNT(*) FROM member)");
        await Migrator(database).SeedAsync(Cancelled);
        Assert.Equal(before, await connection.ExecuteScalarAsync<int>("SELECT (SELECT COUNT(*) FROM coupon) + (SELECT COUNT(*) FROM product) + (SELECT COUNT(*) FROM member)"));
        Assert.True(before > 0);
    }

    static IReadOnlyList<(string Name, string Text)> Files => Core.EmbeddedText.ReadFolder("Database/Migrations");

    static Migrator Migrator(DbDataSource database) => new(database, TimeProvider.System, NullLogger<Migrator>.Instance);

    async Task<DbDataSource> NewDatabaseAsync()
    {
        var name = $"migration_{Guid.NewGuid():N}";
        await Stack.Services.GetRequiredService<MySqlDatabase>().ExecuteAsync($"CREATE DATABASE {name}", null, Cancelled);
        var connection = new DbConnectionStringBuilder { ConnectionString = (await Stack.App.GetConnectionStringAsync("commerce"))! };
        connection["Database"] = name;
        return DataSource(connection.ConnectionString);
    }

    static DbDataSource DataSource(string? connectionString)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Configuration["ConnectionStrings:commerce"] = connectionString;
        builder.AddCommerceDatabase();
        return builder.Build().Services.GetRequiredService<DbDataSource>();
    }
}
