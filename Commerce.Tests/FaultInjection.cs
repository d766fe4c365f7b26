using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Aspire.Hosting.ApplicationModel;
using Commerce.Core.Database;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace Commerce.Tests;

/// <summary>Kills, freezes and restarts processes of the stack, by id.</summary>
public static partial class FaultInjection
{
    /// <summary>The reason for skipping a test if the mock broker runs.</summary>
    public const string NeedsRealBroker = "The mock broker cannot do this: set KAFKA_HOME to a Kafka distribution, with Java 17 on PATH.";

    const int SigKill = 9, SigUsr1 = 10, SigUsr2 = 12, SigTerm = 15, SigCont = 18, SigStop = 19;

    /// <summary>Kills the process of a resource, as a power failure would.</summary>
    public static async Task KillAsync(this CommerceStack stack, string resource)
    {
        await SendAsync(stack, resource, SigKill);
        await stack.StoppedAsync(resource);
    }

    /// <summary>Kills several processes at the same time, as a power failure of their machine would.</summary>
    public static async Task KillAllAsync(this CommerceStack stack, params IReadOnlyList<string> resources)
    {
        var pids = await Task.WhenAll(resources.Select(stack.PidAsync));
        foreach (var pid in pids) Assert.Equal(0, Kill(pid, SigKill));
        await Task.WhenAll(resources.Select(stack.StoppedAsync));
    }

    /// <summary>Stops the process of a resource, as an orchestrator would.</summary>
    public static Task TerminateAsync(this CommerceStack stack, string resource) => SendAsync(stack, resource, SigTerm);

    /// <summary>Freezes a process. It keeps its connections and does not respond.</summary>
    public static async Task FreezeAsync(this CommerceStack stack, string resource)
    {
        await SendAsync(stack, resource, SigStop);
        // The signal takes effect later, and a thread on another core may still respond.
        var threads = $"/proc/{await stack.PidAsync(resource)}/task";
        await Eventually.EqualAsync(true, () => Task.FromResult(Directory.EnumerateDirectories(threads).All(IsStopped)));

        static bool IsStopped(string thread)
        {
            var stat = File.ReadAllText(Path.Combine(thread, "stat"));
            return stat[stat.LastIndexOf(')') + 2] == 'T';
        }
    }

    /// <summary>Resumes a frozen process.</summary>
    public static Task ThawAsync(this CommerceStack stack, string resource) => SendAsync(stack, resource, SigCont);

    /// <summary>
    /// Kills the broker. Connections break, new ones are refused, and its log stays. The mock broker keeps its log in memory, so it only
    /// closes its connections.
    /// </summary>
    public static async Task BrokerAwayAsync(this CommerceStack stack)
    {
        if (await stack.HasMockBrokerAsync()) await SendAsync(stack, "kafka", SigUsr1);
        else await stack.KillAsync("kafka");
    }

    /// <summary>Starts the broker again with its log.</summary>
    public static async Task BrokerBackAsync(this CommerceStack stack)
    {
        if (await stack.HasMockBrokerAsync()) await SendAsync(stack, "kafka", SigUsr2);
        else await stack.StartAsync("kafka");
    }

    /// <summary>Waits until the resource's process has ended.</summary>
    public static Task StoppedAsync(this CommerceStack stack, string resource) =>
        stack.App.ResourceNotifications.WaitForResourceAsync(resource,
            e => KnownResourceStates.TerminalStates.Contains(e.Snapshot.State?.Text), Deadline().Token);

    /// <summary>Starts an ended resource and waits until it is healthy.</summary>
    public static async Task StartAsync(this CommerceStack stack, string resource)
    {
        var result = await stack.App.ResourceCommands.ExecuteCommandAsync(resource, KnownResourceCommands.StartCommand, Deadline().Token);
        Assert.True(result.Success, result.Message);
        await stack.HealthyAsync(resource, Deadline().Token);
    }

    /// <summary>Stops a resource normally.</summary>
    public static async Task StopAsync(this CommerceStack stack, string resource)
    {
        var result = await stack.App.ResourceCommands.ExecuteCommandAsync(resource, KnownResourceCommands.StopCommand, Deadline().Token);
        Assert.True(result.Success, result.Message);
        await stack.StoppedAsync(resource);
    }

    /// <summary>Sends a repeatable command to Redis once this process is connected.</summary>
    public static Task<RedisResult> RedisAsync(this CommerceStack stack, string command, params object[] arguments) =>
        Eventually.DoneAsync(() => Redis(stack).ExecuteAsync(command, arguments).WaitAsync(TimeSpan.FromSeconds(30)));

    /// <summary>The contents of keys, for <see cref="RestoreAsync"/>.</summary>
    public static async Task<IReadOnlyDictionary<RedisKey, byte[]>> DumpAsync(this CommerceStack stack, params RedisKey[] keys)
    {
        var dumps = new Dictionary<RedisKey, byte[]>();
        foreach (var key in keys) dumps[key] = (await Eventually.DoneAsync(() => Redis(stack).KeyDumpAsync(key)))!;
        return dumps;
    }

    /// <summary>Restores the contents of keys.</summary>
    public static async Task RestoreAsync(this CommerceStack stack, IReadOnlyDictionary<RedisKey, byte[]> dumps)
    {
        foreach (var (key, dump) in dumps)
            await stack.RedisAsync("RESTORE", key, 0, dump, "REPLACE");
    }

    /// <summary>The number of console lines of a resource that contain the text.</summary>
    public static async Task<int> CountSaidAsync(this CommerceStack stack, string resource, string text) =>
        (await stack.LogAsync(resource)).Count(line => line.Contains(text, StringComparison.Ordinal));

    /// <summary>The lines that a resource has logged so far.</summary>
    public static async Task<IReadOnlyList<string>> LogAsync(this CommerceStack stack, string resource)
    {
        var id = (await stack.App.ResourceNotifications.WaitForResourceAsync(resource, _ => true, Deadline().Token)).ResourceId;
        var log = new List<string>();
        await foreach (var lines in stack.App.Services.GetRequiredService<ResourceLoggerService>().GetAllAsync(id).WithCancellation(Deadline().Token))
            log.AddRange(lines.Select(line => line.Content));
        return log;
    }

    /// <summary>Returns the state of a dependency at <c>/health/dependencies</c> of the Api.</summary>
    public static async Task<string?> HealthOfAsync(this CommerceStack stack, string dependency)
    {
        using var answer = await stack.Anonymous.GetAsync("/health/dependencies", TestContext.Current.CancellationToken);
        var checks = (await answer.Content.ReadFromJsonAsync<JsonObject>(TestContext.Current.CancellationToken))!["checks"]!.AsArray();
        return (string?)checks.Single(c => (string?)c!["name"] == dependency)!["status"];
    }

    /// <summary>Makes MySQL reject new rows of a table with the error of a full disk.</summary>
    public static Task DiskFullAsync(this CommerceStack stack, string table, int error) => stack.Services.GetRequiredService<MySqlDatabase>().ExecuteAsync(
        $"CREATE TRIGGER disk_full BEFORE INSERT ON {table} FOR EACH ROW SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {error}", null, TestContext.Current.CancellationToken);

    /// <summary>Removes the rejection.</summary>
    public static Task DiskHasRoomAsync(this CommerceStack stack) =>
        stack.Services.GetRequiredService<MySqlDatabase>().ExecuteAsync("DROP TRIGGER IF EXISTS disk_full", null, CancellationToken.None);

    static IDatabase Redis(CommerceStack stack) => stack.Services.GetRequiredService<IConnectionMultiplexer>().GetDatabase();

    static CancellationTokenSource Deadline() => new(TimeSpan.FromMinutes(3));

    /// <summary>Returns the process id of a running resource. Right after a restart Aspire still reports the previous process.</summary>
    public static Task<int> PidAsync(this CommerceStack stack, string resource) => Eventually.GetAsync(async () =>
    {
        var running = await stack.App.ResourceNotifications.WaitForResourceAsync(resource,
            e => e.Snapshot.Properties.Any(p => p is { Name: "executable.pid", Value: not null }), Deadline().Token);
        return Convert.ToInt32(running.Snapshot.Properties.Single(p => p.Name == "executable.pid").Value, CultureInfo.InvariantCulture);
    }, pid => Directory.Exists($"/proc/{pid}"));

    // The process is not used for this, because it may be dead.
    public static async Task<bool> HasMockBrokerAsync(this CommerceStack stack)
    {
        var seen = await stack.App.ResourceNotifications.WaitForResourceAsync("kafka", _ => true, Deadline().Token);
        return $"{seen.Snapshot.Properties.Single(p => p.Name == "executable.path").Value}".EndsWith("MockKafkaBroker", StringComparison.Ordinal);
    }

    static async Task SendAsync(CommerceStack stack, string resource, int signal) =>
        Assert.Equal(0, Kill(await stack.PidAsync(resource), signal));

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int pid, int signal);
}
