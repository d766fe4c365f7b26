using System.Globalization;
using Commerce.Core.Database;
using Commerce.Core.Inventory;
using Commerce.Core.Outbox;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Commerce.Tests.Faults.Chaos;

/// <summary>A fault that is injected, has a visible effect, and is removed.</summary>
/// <param name="Run">Returns after the fault is removed. Fails if the fault had no effect, because it then proved nothing.</param>
public sealed record ChaosFault(string Name, Func<ChaosScene, Random, Task> Run)
{
    public override string ToString() => Name;
}

/// <summary>The stack and the observations of its users.</summary>
/// <param name="Answered">The number of responses so far from the Api that the faults affect.</param>
/// <param name="Count">The number of times that an outcome occurred so far.</param>
public sealed record ChaosScene(CommerceStack Stack, Func<int> Answered, Func<string, int> Count)
{
    public MySqlDatabase Database => Stack.Services.GetRequiredService<MySqlDatabase>();

    public OutboxStore Outbox => Stack.Services.GetRequiredService<OutboxStore>();

    public InventoryRepository Inventory => Stack.Services.GetRequiredService<InventoryRepository>();
}

/// <summary>The faults of a random run. Each lasts until it has had an effect, and a while longer.</summary>
public static class ChaosFaults
{
    /// <summary>The time limit for an effect. It is much longer than a hundred users need to notice a fault.</summary>
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(45);

    /// <summary>Each third of the faults belongs to the same seeds. Slow faults are in different thirds.</summary>
    public static IReadOnlyList<ChaosFault> All { get; } =
    [
        new("workers frozen past a lease", FreezeWorkersPastLeaseAsync),
        new("redis killed", (scene, _) => RebuiltAfterAsync(scene, () => KillAndStartAsync(scene, "redis"))),
        new("mysql killed", async (scene, dice) => await RefusedWhileAsync(scene, dice, () => scene.Stack.KillAsync("mysql"), () => scene.Stack.StartAsync("mysql"))),
        new("redis emptied", (scene, _) => RebuiltAfterAsync(scene, () => scene.Stack.RedisAsync("FLUSHALL"))),
        new("broker frozen", (scene, dice) => StuckWhileAsync(scene, dice, () => scene.Stack.FreezeAsync("kafka"), () => scene.Stack.ThawAsync("kafka"))),
        new("api killed", KillApiAsync),
        new("gateway unwell", UnwellGatewayAsync),
        new("workers killed", (scene, dice) => StuckWhileAsync(scene, dice, () => scene.Stack.KillAsync("workers"), () => scene.Stack.StartAsync("workers"))),
        new("mysql frozen", (scene, dice) => RefusedWhileAsync(scene, dice, () => scene.Stack.FreezeAsync("mysql"), () => scene.Stack.ThawAsync("mysql"))),
        new("scripts flushed", FlushScriptsAsync),
        new("api frozen", FreezeApiAsync),
        new("broker away", (scene, dice) => StuckWhileAsync(scene, dice, scene.Stack.BrokerAwayAsync, scene.Stack.BrokerBackAsync)),
        new("workers frozen", (scene, dice) => StuckWhileAsync(scene, dice, () => scene.Stack.FreezeAsync("workers"), () => scene.Stack.ThawAsync("workers"))),
        new("mysql read-only", (scene, dice) => RefusedWhileAsync(scene, dice, () => ReadOnlyAsync(scene, true), () => ReadOnlyAsync(scene, false))),
    ];

    /// <summary>Redis loses the data of the gate. The gate is rebuilt under a higher epoch.</summary>
    static async Task RebuiltAfterAsync(ChaosScene scene, Func<Task> breakIt)
    {
        var epoch = await Eventually.DoneAsync(() => scene.Inventory.FindEpochAsync(CancellationToken.None));
        await breakIt();
        await BittenAsync(async () => await scene.Inventory.FindEpochAsync(CancellationToken.None) > epoch);
    }

    /// <summary>Messages normally leave the outbox within milliseconds. During this fault they wait for seconds.</summary>
    static async Task StuckWhileAsync(ChaosScene scene, Random dice, Func<Task> breakIt, Func<Task> mendIt)
    {
        await BittenAsync(async () => await OldestAsync(scene) < 0.5);
        await breakIt();
        try
        {
            await BittenAsync(async () => await OldestAsync(scene) > 1);
            await Task.Delay(dice.Next(2000));
        }
        finally
        {
            await mendIt();
        }
    }

    /// <summary>Users get 503 because the database is unavailable.</summary>
    static async Task RefusedWhileAsync(ChaosScene scene, Random dice, Func<Task> breakIt, Func<Task> mendIt)
    {
        var refused = scene.Count("dependency-unavailable");
        try
        {
            await breakIt();
            await BittenAsync(() => Task.FromResult(scene.Count("dependency-unavailable") > refused));
            await Task.Delay(dice.Next(2000));
        }
        finally
        {
            await mendIt();
        }
    }

    /// <summary>Waiting callers get no response.</summary>
    static async Task KillApiAsync(ChaosScene scene, Random dice)
    {
        var unanswered = scene.Count("unanswered");
        await scene.Stack.KillAsync("api");
        try
        {
            await BittenAsync(() => Task.FromResult(scene.Count("unanswered") > unanswered));
            await Task.Delay(dice.Next(1000));
        }
        finally
        {
            await scene.Stack.StartAsync("api");
        }
    }

    /// <summary>Many requests are sent, and none is answered.</summary>
    static async Task FreezeApiAsync(ChaosScene scene, Random dice)
    {
        await scene.Stack.FreezeAsync("api");
        try
        {
            // Responses that were already written still arrive.
            await BittenAsync(async () =>
            {
                var before = scene.Answered();
                await Task.Delay(500);
                return scene.Answered() == before;
            });
            var answered = scene.Answered();
            await Task.Delay(dice.Next(1000, 3000));
            Assert.Equal(answered, scene.Answered());
        }
        finally
        {
            await scene.Stack.ThawAsync("api");
        }
    }

    /// <summary>
    /// The relays freeze in the middle of a batch. After their lease another relay sends the batch, and then they resume.
    /// </summary>
    static async Task FreezeWorkersPastLeaseAsync(ChaosScene scene, Random dice)
    {
        await BittenAsync(async () => await OldestAsync(scene) < 0.5);
        await scene.Stack.FreezeAsync("kafka");
        try
        {
            await BittenAsync(async () =>
            {
                if (await OldestAsync(scene) < 0.2) return false;
                await scene.Stack.FreezeAsync("workers");
                // MySQL has finished the earlier statements by then.
                await Task.Delay(100);
                if (await LeasesAsync(scene) > 0) return true;
                await scene.Stack.ThawAsync("workers");
                return false;
            });
        }
        finally
        {
            await scene.Stack.ThawAsync("kafka");
        }

        try
        {
            await BittenAsync(async () => await LeasesAsync(scene, "AND lease_until <= UTC_TIMESTAMP(6)") > 0);
            using var relay = ActivatorUtilities.CreateInstance<OutboxRelay>(scene.Stack.Services, Options.Create(new OutboxOptions()));
            await BittenAsync(async () =>
            {
                await relay.DrainAsync(CancellationToken.None);
                return await OldestAsync(scene) < 0.5;
            });
        }
        finally
        {
            await scene.Stack.ThawAsync("workers");
        }
    }

    static async Task FlushScriptsAsync(ChaosScene scene, Random dice)
    {
        var unknown = await UnknownScriptsAsync(scene);
        await scene.Stack.RedisAsync("SCRIPT", "FLUSH");
        await BittenAsync(async () => await UnknownScriptsAsync(scene) > unknown);
    }

    /// <summary>The responses to captures are lost, and there is no history, so the orders must be settled later.</summary>
    static async Task UnwellGatewayAsync(ChaosScene scene, Random dice)
    {
        var settling = scene.Count("approve 202");
        var seed = dice.Next();
        await using (await scene.Stack.Sandbox.WithFaultsAsync(
            new SandboxFault("approveThen5xx", "apply", Probability: 0.5, Seed: seed), new SandboxFault("drop", "cancel", Probability: 0.5, Seed: seed),
            new SandboxFault("status5xx", "history", Probability: 0.5, Seed: seed)))
        {
            await BittenAsync(() => Task.FromResult(scene.Count("approve 202") > settling));
            await Task.Delay(dice.Next(1000, 3000));
        }
    }

    static async Task ReadOnlyAsync(ChaosScene scene, bool on)
    {
        await Eventually.DoneAsync(() => scene.Database.ExecuteAsync($"SET GLOBAL super_read_only = {(on ? "ON" : "OFF")}", null, CancellationToken.None));
        if (!on) await Eventually.DoneAsync(() => scene.Database.ExecuteAsync("SET GLOBAL read_only = OFF", null, CancellationToken.None));
    }

    static async Task KillAndStartAsync(ChaosScene scene, string resource)
    {
        await scene.Stack.KillAsync(resource);
        await scene.Stack.StartAsync(resource);
    }

    static async Task<double> OldestAsync(ChaosScene scene) => (await scene.Outbox.MeasureAsync(CancellationToken.None)).OldestAge;

    static Task<int> LeasesAsync(ChaosScene scene, string when = "") => scene.Database.SingleAsync<int>(
        $"SELECT COUNT(*) FROM outbox_shard WHERE token IS NOT NULL {when}", null, CancellationToken.None);

    /// <summary>Returns how often Redis did not know a script.</summary>
    static async Task<int> UnknownScriptsAsync(ChaosScene scene)
    {
        var line = ((string)(await scene.Stack.RedisAsync("INFO", "errorstats"))!).Split('\n').FirstOrDefault(l => l.StartsWith("errorstat_NOSCRIPT:", StringComparison.Ordinal));
        return line is null ? 0 : int.Parse(line.Trim()[(line.IndexOf('=', StringComparison.Ordinal) + 1)..], CultureInfo.InvariantCulture);
    }

    static Task<bool> BittenAsync(Func<Task<bool>> bitten) => Eventually.EqualAsync(true, bitten, Patience);
}
