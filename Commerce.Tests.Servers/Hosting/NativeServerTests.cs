using System.Diagnostics;
using System.Runtime.Versioning;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Commerce.Tests.Servers.Hosting;

/// <summary>Tests what an application can expect of its servers without a container engine.</summary>
[SupportedOSPlatform("linux")]
public sealed class NativeServerTests(NativeApplication application) : IClassFixture<NativeApplication>
{
    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory, InlineData("redis"), InlineData("mysql"), InlineData("kafka")]
    public async Task A_server_that_is_killed_is_shown_as_ended_and_comes_back_on_its_port(string server)
    {
        await application.HealthyAsync(server);
        var before = await application.ConnectionStringAsync(server);
        var pid = await application.PidAsync(server);
        using (var process = Process.GetProcessById(pid)) process.Kill();
        var ended = await application.SeenAsync(server, s => KnownResourceStates.TerminalStates.Contains(s.State?.Text) && s.ExitCode is not null);
        Assert.NotEqual(0, ended.Snapshot.ExitCode);

        await application.CommandAsync(server, KnownResourceCommands.StartCommand);
        await application.PidAsync(server, before: pid);
        await application.HealthyAsync(server);
        Assert.Equal(before, await application.ConnectionStringAsync(server));
    }

    [Fact]
    public async Task A_process_that_ends_by_itself_is_shown_with_its_exit_code_and_its_output()
    {
        var ended = await application.SeenAsync("dies", s => KnownResourceStates.TerminalStates.Contains(s.State?.Text) && s.ExitCode is not null);
        Assert.Equal(3, ended.Snapshot.ExitCode);
        Assert.False((await application.SaidAsync("dies", "said")).IsErrorMessage);
        Assert.True((await application.SaidAsync("dies", "complained")).IsErrorMessage);
    }

    [Fact]
    public async Task What_waits_for_a_server_starts_once_that_is_healthy()
    {
        await application.HealthyAsync("calm");
        var server = await application.SeenAsync("calm", s => s.StartTimeStamp is not null);
        var waited = await application.SeenAsync("after-calm", s => s.StartTimeStamp is not null);
        Assert.True(server.Snapshot.StartTimeStamp < waited.Snapshot.StartTimeStamp);
    }

    [Fact]
    public async Task A_database_is_there_once_its_server_is_healthy()
    {
        await application.HealthyAsync("ledger-db");
        await using var connection = new MySqlConnector.MySqlConnection(await application.ConnectionStringAsync("ledger-db"));
        await connection.OpenAsync(Cancelled);
        Assert.Equal("ledger", connection.Database);
    }

    [Fact]
    public async Task What_waits_for_a_server_whose_check_fails_does_not_start()
    {
        var sick = await application.SeenAsync("sick", s => s.HealthReports.Any(r => r.Description == "sick on purpose"));
        Assert.Equal(HealthStatus.Unhealthy, sick.Snapshot.HealthStatus);
        await application.ReachedAsync("after-sick", KnownResourceStates.Waiting);
    }

    [Fact]
    public async Task A_missing_program_fails_to_start_says_how_to_get_it_and_so_does_what_waits_for_it()
    {
        await application.ReachedAsync("missing", KnownResourceStates.FailedToStart);
        await application.SaidAsync("missing", "missing is not installed. Write one.");
        await application.ReachedAsync("after-missing", KnownResourceStates.FailedToStart);
    }

    [Fact]
    public async Task A_taken_port_is_told_clearly()
    {
        await application.ReachedAsync("wants-taken-port", KnownResourceStates.FailedToStart);
        await application.SaidAsync("wants-taken-port", $"Port {application.TakenPort} of 'wants-taken-port' is taken");
    }

    [Fact]
    public async Task Stop_start_and_restart_give_a_new_process_with_the_same_data()
    {
        await application.HealthyAsync("redis");
        using (var redis = await ConnectAsync()) await redis.GetDatabase().StringSetAsync("kept", "yes");
        var first = await application.PidAsync("redis");
        await application.CommandAsync("redis", KnownResourceCommands.StopCommand);
        await application.ReachedAsync("redis", [.. KnownResourceStates.TerminalStates]);
        await application.CommandAsync("redis", KnownResourceCommands.StartCommand);
        var second = await application.PidAsync("redis", before: first);
        await application.HealthyAsync("redis");
        using (var redis = await ConnectAsync()) Assert.Equal("yes", await redis.GetDatabase().StringGetAsync("kept"));
        await application.CommandAsync("redis", KnownResourceCommands.RestartCommand);
        Assert.NotEqual(first, await application.PidAsync("redis", before: second));

        async Task<StackExchange.Redis.ConnectionMultiplexer> ConnectAsync() =>
            await StackExchange.Redis.ConnectionMultiplexer.ConnectAsync((await application.ConnectionStringAsync("redis"))!);
    }

    [Theory, InlineData("redis"), InlineData("mysql"), InlineData("kafka")]
    public async Task A_server_that_answers_nobody_is_unhealthy_until_it_goes_on(string server)
    {
        await application.HealthyAsync(server);
        var pid = await application.PidAsync(server);
        using (var stop = Process.Start("kill", ["-STOP", $"{pid}"])) await stop.WaitForExitAsync(Cancelled);
        try
        {
            await application.SeenAsync(server, s => s.HealthStatus is HealthStatus.Unhealthy);
        }
        finally
        {
            using var go = Process.Start("kill", ["-CONT", $"{pid}"]);
            await go.WaitForExitAsync(Cancelled);
        }
        await application.HealthyAsync(server);
    }

    [Theory, InlineData("redis"), InlineData("mysql")]
    public async Task A_password_is_on_no_command_line_and_in_no_file_that_others_can_read(string server)
    {
        await application.HealthyAsync(server);
        var connection = await application.ConnectionStringAsync(server);
        var password = connection!.Split(';', ',').Select(part => part.Split('=', 2)).First(p => p[0].Equals("password", StringComparison.OrdinalIgnoreCase))[1];
        var pid = await application.PidAsync(server);
        Assert.DoesNotContain(password, await File.ReadAllTextAsync($"/proc/{pid}/cmdline", Cancelled), StringComparison.Ordinal);
        foreach (var file in Directory.EnumerateFiles(Path.Combine(application.Data, "run"), "*", SearchOption.AllDirectories).Where(f => f.EndsWith(".sql", StringComparison.Ordinal) || f.EndsWith(".conf", StringComparison.Ordinal)))
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
    }

    [Fact]
    public async Task References_hand_over_what_a_container_would()
    {
        var consumer = (await application.SeenAsync("consumer", s => s.EnvironmentVariables.Length > 0)).Snapshot.EnvironmentVariables
            .Where(v => v.IsFromSpec).ToDictionary(v => v.Name, v => v.Value);
        foreach (var (name, server) in new[] { ("ledger-db", "ledger-db"), ("redis", "redis"), ("kafka", "kafka") })
            Assert.Equal(await application.ConnectionStringAsync(server), consumer[$"ConnectionStrings__{name}"]);
        Assert.Superset(
            new HashSet<string>
            {
                "LEDGER_DB_HOST", "LEDGER_DB_PORT", "LEDGER_DB_USERNAME", "LEDGER_DB_PASSWORD", "LEDGER_DB_URI", "LEDGER_DB_JDBCCONNECTIONSTRING",
                "LEDGER_DB_DATABASENAME", "REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD", "REDIS_URI", "KAFKA_HOST", "KAFKA_PORT",
            },
            consumer.Keys.ToHashSet());
        Assert.EndsWith(";Database=ledger", consumer["ConnectionStrings__ledger-db"], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_container_without_a_recipe_is_refused_at_the_start()
    {
        var data = Directory.CreateTempSubdirectory("commerce-native-");
        try
        {
            var builder = NativeApplication.CreateBuilder(data.FullName);
            builder.UseNativeServersWithoutContainers();
            builder.AddContainer("exotic", "exotic");
            await using var app = await builder.BuildAsync(Cancelled);
            var refusal = await Assert.ThrowsAsync<DistributedApplicationException>(() => app.StartAsync(Cancelled));
            Assert.Contains("'exotic' runs in a container only", refusal.Message, StringComparison.Ordinal);
        }
        finally
        {
            data.Delete(recursive: true);
        }
    }
}
