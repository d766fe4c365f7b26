using System.Diagnostics;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Commerce.Tests.Hosting;

/// <summary>What the hosting promises about resources: the same with Aspire's packages and offline.</summary>
public sealed class ResourceStateTests(SmallApplication application) : IClassFixture<SmallApplication>
{
    [Fact]
    public async Task A_resource_that_dies_is_shown_as_ended_with_its_exit_code()
    {
        var ended = await application.SeenAsync("dies", s => KnownResourceStates.TerminalStates.Contains(s.State?.Text)
            && s.ExitCode is not null);
        Assert.Equal(3, ended.Snapshot.ExitCode);
        Assert.NotNull(ended.Snapshot.StopTimeStamp);
    }

    [Fact]
    public async Task A_resource_that_is_killed_is_shown_as_ended()
    {
        var running = await application.SeenAsync("killed", s => s.State?.Text == KnownResourceStates.Running && Pid(s) > 0);
        using var process = Process.GetProcessById(Pid(running.Snapshot));
        process.Kill();
        var ended = await application.SeenAsync("killed", s => KnownResourceStates.TerminalStates.Contains(s.State?.Text));
        Assert.NotEqual(0, ended.Snapshot.ExitCode);
    }

    [Fact]
    public async Task What_a_resource_says_can_be_read()
    {
        Assert.False((await application.SaidAsync("dies", "said")).IsErrorMessage);
        Assert.True((await application.SaidAsync("dies", "complained")).IsErrorMessage);
    }

    [Fact]
    public async Task A_resource_starts_after_what_it_waits_for()
    {
        var first = await application.SeenAsync("first", s => s.StartTimeStamp is not null);
        var second = await application.SeenAsync("second", s => s.StartTimeStamp is not null);
        Assert.True(first.Snapshot.StartTimeStamp < second.Snapshot.StartTimeStamp);
    }

    [Fact]
    public async Task Waiting_for_completion_ends_with_the_expected_exit_code()
    {
        Assert.Equal(KnownResourceStates.Running, await application.ReachedAsync("after-three", KnownResourceStates.Running, KnownResourceStates.FailedToStart));
    }

    [Fact]
    public async Task Waiting_for_completion_fails_with_another_exit_code()
    {
        Assert.Equal(KnownResourceStates.FailedToStart, await application.ReachedAsync("after-failure", KnownResourceStates.Running, KnownResourceStates.FailedToStart));
        await application.SaidAsync("after-failure", "exit code '3'");
    }

    [Fact]
    public async Task A_missing_program_fails_to_start_and_so_does_what_waits_for_it()
    {
        await application.ReachedAsync("missing", KnownResourceStates.FailedToStart);
        await application.ReachedAsync("after-missing", KnownResourceStates.FailedToStart);
        await application.SaidAsync("missing", "/nowhere/at-all");
    }

    [Fact]
    public async Task A_taken_port_is_told_clearly()
    {
        await application.ReachedAsync("wants-taken-port", KnownResourceStates.FailedToStart);
        await application.SaidAsync("wants-taken-port", $"Port {application.TakenPort} ");
    }

    [Fact]
    public async Task What_waits_for_a_sick_resource_does_not_start()
    {
        var sick = await application.SeenAsync("sick", s => s.HealthReports.Any(r => r.Description == "sick on purpose"));
        Assert.Equal(HealthStatus.Unhealthy, sick.Snapshot.HealthStatus);
        await application.ReachedAsync("after-sick", KnownResourceStates.Waiting);
    }

    [Fact]
    public async Task Waiting_for_health_can_be_given_up()
    {
        using var giveUp = new CancellationTokenSource(TimeSpan.FromMilliseconds(300));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => application.States.WaitForResourceHealthyAsync("sick", giveUp.Token));
    }

    [Fact]
    public async Task Waiting_for_health_stops_when_the_resource_has_ended()
    {
        await Assert.ThrowsAsync<DistributedApplicationException>(
            () => application.States.WaitForResourceHealthyAsync("dies", WaitBehavior.StopOnResourceUnavailable, SmallApplication.Deadline));
    }

    [Fact]
    public async Task A_resource_on_demand_starts_by_its_start_command_only()
    {
        await application.ReachedAsync("on-demand", KnownResourceStates.NotStarted);
        Assert.True((await ExecuteAsync("on-demand", KnownResourceCommands.StartCommand)).Success);
        await application.ReachedAsync("on-demand", KnownResourceStates.Running);
    }

    [Fact]
    public async Task Stop_start_and_restart_give_a_new_process()
    {
        var first = Pid((await application.SeenAsync("restartable", s => s.State?.Text == KnownResourceStates.Running
            && Pid(s) > 0)).Snapshot);
        Assert.True((await ExecuteAsync("restartable", KnownResourceCommands.StopCommand)).Success);
        await application.ReachedAsync("restartable", KnownResourceStates.Finished, KnownResourceStates.Exited);
        Assert.True((await ExecuteAsync("restartable", KnownResourceCommands.StartCommand)).Success);
        var second = Pid((await application.SeenAsync("restartable", s => s.State?.Text == KnownResourceStates.Running
            && Pid(s) != first)).Snapshot);
        Assert.True((await ExecuteAsync("restartable", KnownResourceCommands.RestartCommand)).Success);
        await application.SeenAsync("restartable", s => s.State?.Text == KnownResourceStates.Running && Pid(s) != first
            && Pid(s) != second);
    }

    [Fact]
    public async Task A_command_of_ones_own_is_executed_with_the_id_of_the_instance()
    {
        var id = (await application.SeenAsync("restartable", _ => true)).ResourceId;
        Assert.Equal($"hello {id}", (await ExecuteAsync("restartable", "greet")).Message);
        Assert.False((await ExecuteAsync("restartable", "unknown")).Success);
    }

    [Fact]
    public async Task References_become_environment_variables()
    {
        var consumer = (await application.SeenAsync("consumer", s => s.EnvironmentVariables.Length > 0)).Snapshot.EnvironmentVariables
            .Where(v => v.IsFromSpec).ToDictionary(v => v.Name, v => v.Value);
        var web = application.App.GetEndpoint("web-server", "http");
        Assert.Equal($"http://localhost:{web.Port}", consumer["services__web-server__http__0"]);
        Assert.Equal($"http://localhost:{web.Port}", consumer["WEB_SERVER_HTTP"]);
        Assert.Equal($"http://localhost:{web.Port}/path", consumer["URL"]);
        Assert.Equal("Server=somewhere;Password=open sesame", consumer["ConnectionStrings__ledger"]);
        Assert.Equal("open sesame plain consumer", $"{consumer["WORD"]} {consumer["TEXT"]} {consumer["COMPUTED"]}");
        Assert.DoesNotContain(consumer.Keys, k => k.Contains("ADMIN", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task A_proxied_endpoint_gives_the_program_a_port_of_its_own()
    {
        var server = (await application.SeenAsync("web-server", s => s.EnvironmentVariables.Length > 0)).Snapshot;
        var own = int.Parse(server.EnvironmentVariables.Single(v => v.Name == "PORT").Value!, null);
        Assert.InRange(own, 1, 65535);
        Assert.NotEqual(application.App.GetEndpoint("web-server", "http").Port, own);
        Assert.Contains(server.Urls, u => u.Name == "http" && !u.IsInactive);
    }

    static int Pid(CustomResourceSnapshot snapshot) =>
        Convert.ToInt32(snapshot.Properties.FirstOrDefault(p => p.Name == "executable.pid")?.Value, null);

    Task<ExecuteCommandResult> ExecuteAsync(string resource, string command) =>
        application.App.ResourceCommands.ExecuteCommandAsync(resource, command, SmallApplication.Deadline);
}
