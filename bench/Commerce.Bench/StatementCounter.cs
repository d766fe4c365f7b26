using System.Diagnostics;
using Commerce.Core.Database;

namespace Commerce.Bench;

/// <summary>The work of MySQL in a period.</summary>
/// <param name="Commits">The commits that changed something.</param>
/// <param name="Flushes">The flushes of the redo log to the disk.</param>
readonly record struct StatementCount(double Statements, double Commits, double Flushes)
{
    public static StatementCount operator +(StatementCount a, StatementCount b) => new(a.Statements + b.Statements, a.Commits + b.Commits, a.Flushes + b.Flushes);

    public static StatementCount operator -(StatementCount a, StatementCount b) => new(a.Statements - b.Statements, a.Commits - b.Commits, a.Flushes - b.Flushes);

    public static StatementCount operator *(StatementCount a, double times) => new(a.Statements * times, a.Commits * times, a.Flushes * times);
}

/// <summary>Counts the work of MySQL by its own counters.</summary>
sealed class StatementCounter : IAsyncDisposable
{
    readonly MySqlDatabase _database;

    StatementCounter(MySqlDatabase database) => _database = database;

    public static async Task<StatementCounter> StartAsync(MySqlDatabase database)
    {
        await database.ExecuteAsync("SET GLOBAL innodb_monitor_enable = 'trx_rw_commits'", null, CancellationToken.None);
        return new(database);
    }

    public async Task<StatementCount> ReadAsync()
    {
        var counters = (await _database.QueryAsync<(string Name, string Value)>(
            "SHOW GLOBAL STATUS WHERE Variable_name IN ('Questions', 'Innodb_os_log_fsyncs')", null, CancellationToken.None)).ToDictionary(c => c.Name, c => double.Parse(c.Value, System.Globalization.CultureInfo.InvariantCulture));
        var commits = await _database.SingleAsync<long>("SELECT `count` FROM information_schema.innodb_metrics WHERE name = 'trx_rw_commits'", null, CancellationToken.None);
        return new(counters["Questions"], commits, counters["Innodb_os_log_fsyncs"]);
    }

    /// <summary>Measures the work per second while nobody buys anything.</summary>
    public async Task<StatementCount> PerSecondAsync(TimeSpan time)
    {
        var (before, start) = (await ReadAsync(), Stopwatch.GetTimestamp());
        await Task.Delay(time);
        return (await ReadAsync() - before) * (1 / Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    public async ValueTask DisposeAsync() => await _database.ExecuteAsync("SET GLOBAL innodb_monitor_disable = 'trx_rw_commits'", null, CancellationToken.None);
}
