using System.Globalization;
using System.Runtime.InteropServices;
using Aspire.Hosting.ApplicationModel;
using Commerce.Core.Database;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace Commerce.Tests;

/// <summary>Kills, freezes and brings back the stack's own processes, by id.</summary>
public static partial class FaultInjection
{
    const int SigKill = 9, SigUsr1 = 10, SigUsr2 = 12, SigTerm = 15, SigCont = 18, SigStop = 19;

    /// <summary>Ends a resource's process as a power cut would.</summary>
    public static async Task KillAsync(this CommerceStack stack, string resource)
    {
        await SendAsync(stack, resource, SigKill);
        await stack.StoppedAsync(resource);
    }

    /// <summary>Asks a resource's process to end, as an orchestrator does.</summary>
    public static Task TerminateAsync(this CommerceStack stack, string resource) => SendAsync(stack, resource, SigTerm);

    /// <summary>Stops a process where it stands; it holds its connections and answers nobody.</summary>
    public static async Task FreezeAsync(this CommerceStack stack, string resource)
    {
        await SendAsync(stack, resource, SigStop);
        // The signal is sent before it is obeyed: on another core a thread may still answer.
        var threads = $"/proc/{await stack.PidAsync(resource)}/task";
        await Eventually.EqualAsync(true, () => Task.FromResult(Directory.EnumerateDirectories(threads).All(IsStopped)));

        static bool IsStopped(string thread)
        {
            var stat = File.ReadAllText(Path.Combine(thread, "stat"));
            return stat[stat.LastIndexOf(')') + 2] == 'T';
        }
    }

    /// <summary>Lets a frozen process go on.</summary>
    public static Task ThawAsync(this CommerceStack stack, string resource) => SendAsync(stack, resource, SigCont);

    /// <summary>The broker dies: connections break, new ones are refused, its log stays. The mock broker, whose log is in memory, only plays dead.</summary>
    public static async Task BrokerAwayAsync(this CommerceStack stack)
    {
        if (await stack.HasMockBrokerAsync()) await SendAsync(stack, "kafka", SigUsr1);
        else await stack.KillAsync("kafka");
    }

    /// <summary>The broker is back with its log.</summary>
    public static async Task BrokerBackAsync(this CommerceStack stack)
    {
        if (await stack.HasMockBrokerAsync()) await SendAsync(stack, "kafka", SigUsr2);
        else await stack.StartAsync("kafka");
    }

    /// <summary>Waits until the resource's process has ended.</summary>
    public static Task StoppedAsync(this CommerceStack stack, string resource) =>
        stack.App.ResourceNotifications.WaitForResourceAsync(resource,
            e => KnownResourceStates.TerminalStates.Contains(e.Snapshot.State?.Text), Deadline().Token);

    /// <summary>Starts a resource that ended, and waits until it is healthy.</summary>
    public static async Task StartAsync(this CommerceStack stack, string resource)
    {
        var result = await stack.App.ResourceCommands.ExecuteCommandAsync(resource, KnownResourceCommands.StartCommand, Deadline().Token);
        Assert.True(result.Success, result.Message);
        await stack.HealthyAsync(resource, Deadline().Token);
    }

    /// <summary>Stops a resource in the ordinary way.</summary>
    public static async Task StopAsync(this CommerceStack stack, string resource)
    {
        var result = await stack.App.ResourceCommands.ExecuteCommandAsync(resource, KnownResourceCommands.StopCommand, Deadline().Token);
        Assert.True(result.Success, result.Message);
        await stack.StoppedAsync(resource);
    }

    /// <summary>Sends a command that is safe to repeat to Redis, as soon as this process is connected to it (again).</summary>
    public static Task<RedisResult> RedisAsync(this CommerceStack stack, string command, params object[] arguments) =>
        Eventually.DoneAsync(() => Redis(stack).ExecuteAsync(command, arguments).WaitAsync(TimeSpan.FromSeconds(30)));

    /// <summary>What keys hold, for <see cref="RestoreAsync"/>.</summary>
    public static async Task<IReadOnlyDictionary<RedisKey, byte[]>> DumpAsync(this CommerceStack stack, params RedisKey[] keys)
    {
        var dumps = new Dictionary<RedisKey, byte[]>();
        foreach (var key in keys) dumps[key] = (await Eventually.DoneAsync(() => Redis(stack).KeyDumpAsync(key)))!;
        return dumps;
    }

    /// <summary>Puts back what keys held, over what they hold now.</summary>
    public static async Task RestoreAsync(this CommerceStack stack, IReadOnlyDictionary<RedisKey, byte[]> dumps)
    {
        foreach (var (key, dump) in dumps)
            await stack.RedisAsync("RESTORE", key, 0, dump, "REPLACE");
    }

    /// <summary>How many lines of a resource's console output hold the text.</summary>
    public static async Task<int> CountSaidAsync(this CommerceStack stack, string resource, string text)
    {
        var id = (await stack.App.ResourceNotifications.WaitForResourceAsync(resource, _ => true, Deadline().Token)).ResourceId;
        var count = 0;
        await foreach (var lines in stack.App.Services.GetRequiredService<ResourceLoggerService>().GetAllAsync(id).WithCancellation(Deadline().Token))
            count += lines.Count(line => line.Content.Contains(text, StringComparison.Ordinal));
        return count;
    }

    /// <summary>MySQL refuses new rows of a table with an error that it has for a full disk.</summary>
    public static Task DiskFullAsync(this CommerceStack stack, string table, int error) => stack.Services.GetRequiredService<MySqlDatabase>().ExecuteAsync(
        $"CREATE TRIGGER disk_full BEFORE INSERT ON {table} FOR EACH ROW SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {error}", null, TestContext.Current.CancellationToken);

    /// <summary>There is room again.</summary>
    public static Task DiskHasRoomAsync(this CommerceStack stack) =>
        stack.Services.GetRequiredService<MySqlDatabase>().ExecuteAsync("DROP TRIGGER IF EXISTS disk_full", null, CancellationToken.None);

    static IDatabase Redis(CommerceStack stack) => stack.Services.GetRequiredService<IConnectionMultiplexer>().GetDatabase();

    static CancellationTokenSource Deadline() => new(TimeSpan.FromMinutes(3));

    /// <summary>The id of the process that a resource runs as.</summary>
    public static async Task<int> PidAsync(this CommerceStack stack, string resource)
    {
        var running = await stack.App.ResourceNotifications.WaitForResourceAsync(resource,
            e => e.Snapshot.Properties.Any(p => p is { Name: "executable.pid", Value: not null }), Deadline().Token);
        return Convert.ToInt32(running.Snapshot.Properties.Single(p => p.Name == "executable.pid").Value, CultureInfo.InvariantCulture);
    }

    // Not by the process, which may be dead.
    static async Task<bool> HasMockBrokerAsync(this CommerceStack stack)
    {
        var seen = await stack.App.ResourceNotifications.WaitForResourceAsync("kafka", _ => true, Deadline().Token);
        return $"{seen.Snapshot.Properties.Single(p => p.Name == "executable.path").Value}".EndsWith("MockKafkaBroker", StringComparison.Ordinal);
    }

    static async Task SendAsync(CommerceStack stack, string resource, int signal) =>
        Assert.Equal(0, Kill(await stack.PidAsync(resource), signal));

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int pid, int signal);
}
