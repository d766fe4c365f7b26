using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;

namespace Commerce.AppHost;

/// <summary>Commands for developers on the Api in the dashboard.</summary>
static class DeveloperCommands
{
    const int DemoCoupons = 50, DemoShoppers = 150;

    static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);

    public static IResourceBuilder<ProjectResource> WithDeveloperCommands(
        this IResourceBuilder<ProjectResource> api, IResourceBuilder<ProjectResource> reset, string sandboxLedger, params IReadOnlyList<IResource> stopped)
    {
        if (!api.ApplicationBuilder.ExecutionContext.IsRunMode) return api;
        return api
            .WithCommand("audit", "Run the audit", context => CheckConsistencyAsync(api, context.CancellationToken), new CommandOptions
            {
                IconName = "ClipboardCheckmark", IsHighlighted = true, UpdateState = WhileHealthy,
                Description = "Checks every promise: nothing oversold, issued twice or charged twice.",
            })
            .WithCommand("demo-sale", "Play a demo sale", context => PlayAsync(api, context.CancellationToken), new CommandOptions
            {
                IconName = "Cart", UpdateState = WhileHealthy,
                Description = $"{DemoShoppers} shoppers request a new coupon at once; {DemoCoupons} are available.",
            })
            .WithCommand("reset", "Reset the data", context => ResetAsync(context, reset.Resource, sandboxLedger, [api.Resource, .. stopped]), new CommandOptions
            {
                IconName = "DatabaseArrowUp",
                ConfirmationMessage = "This deletes all orders, coupons and payments and restores the seeded products. Continue?",
                Description = "Deletes all data in MySQL, Redis and Kafka and restores the seeded products.",
            });
    }

    static ResourceCommandState WhileHealthy(UpdateCommandStateContext context) =>
        context.ResourceSnapshot.HealthStatus is Microsoft.Extensions.Diagnostics.HealthChecks.HealthStatus.Healthy
            ? ResourceCommandState.Enabled : ResourceCommandState.Disabled;

    static async Task<ExecuteCommandResult> CheckConsistencyAsync(IResourceBuilder<ProjectResource> api, CancellationToken cancellationToken)
    {
        using var http = await ClientAsync(api, "audit", "ADMIN", cancellationToken);
        var report = await http.GetFromJsonAsync<JsonElement>("/api/admin/audit", cancellationToken);
        var table = new StringBuilder("| invariant | holds | promise |\n| --- | --- | --- |\n");
        foreach (var finding in report.GetProperty("findings").EnumerateArray())
        {
            var holds = finding.GetProperty("holds").GetBoolean() ? "yes" : $"**no: {finding.GetProperty("broken")}**";
            table.AppendLine(CultureInfo.InvariantCulture, $"| {finding.GetProperty("invariant")} | {holds} | {finding.GetProperty("promise")} |");
        }
        return report.GetProperty("holds").GetBoolean()
            ? CommandResults.Success("Every promise was kept.", table.ToString(), CommandResultFormat.Markdown, displayImmediately: true)
            : CommandResults.Failure("A promise is broken, or work is still in progress.", table.ToString(), CommandResultFormat.Markdown);
    }

    static async Task<ExecuteCommandResult> PlayAsync(IResourceBuilder<ProjectResource> api, CancellationToken cancellationToken)
    {
        using var admin = await ClientAsync(api, "demo", "ADMIN", cancellationToken);
        var now = TimeProvider.System.GetUtcNow();
        using var created = await admin.PostAsJsonAsync("/api/admin/coupons", new
        {
            name = $"Demo sale {now:HH:mm:ss}", discount = 5000, totalQuantity = DemoCoupons, startsAt = now.AddMinutes(-1), endsAt = now.AddDays(1),
        }, cancellationToken);
        var coupon = (await created.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<JsonElement>(cancellationToken)).GetProperty("id").GetInt64();

        var shoppers = await Task.WhenAll(Enumerable.Range(1, DemoShoppers).Select(
            i => ClientAsync(api, string.Create(CultureInfo.InvariantCulture, $"demo-{now:HHmmss}-{i}"), "MEMBER", cancellationToken)));
        // The request is repeated while the response asks for it, because the gate of a new coupon opens shortly after its creation.
        var issued = await Task.WhenAll(shoppers.Select(shopper => PressAsync(shopper, coupon, cancellationToken)));
        foreach (var shopper in shoppers) shopper.Dispose();
        return CommandResults.Success($"{issued.Count(i => i)} of {DemoShoppers} shoppers got one of {DemoCoupons} coupons; the others were refused as sold out.");
    }

    static async Task<bool> PressAsync(HttpClient shopper, long coupon, CancellationToken cancellationToken)
    {
        while (true)
        {
            using var answer = await shopper.PostAsync($"/api/coupons/{coupon}/issue", null, cancellationToken);
            if ((int)answer.StatusCode is not (429 or 503)) return answer.IsSuccessStatusCode;
            await Task.Delay(answer.Headers.RetryAfter?.Delta ?? TimeSpan.FromSeconds(1), cancellationToken);
        }
    }

    /// <summary>Stops the writers, runs the resource that resets all data, and starts the writers again.</summary>
    static async Task<ExecuteCommandResult> ResetAsync(
        ExecuteCommandContext context, ProjectResource reset, string sandboxLedger, IReadOnlyList<IResource> stopped)
    {
        var commands = context.Services.GetRequiredService<ResourceCommandService>();
        var states = context.Services.GetRequiredService<ResourceNotificationService>();
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken);
        deadline.CancelAfter(Deadline);
        foreach (var resource in stopped) await commands.ExecuteCommandAsync(resource, KnownResourceCommands.StopCommand, deadline.Token);
        foreach (var resource in stopped) await states.WaitForResourceAsync(resource.Name, KnownResourceStates.TerminalStates, deadline.Token);
        if (sandboxLedger.Length > 0) File.Delete(sandboxLedger);
        var started = await commands.ExecuteCommandAsync(reset, KnownResourceCommands.StartCommand, deadline.Token);
        if (!started.Success) return started;
        var ended = await states.WaitForResourceAsync(reset.Name, e => e.Snapshot.ExitCode is not null, deadline.Token);
        foreach (var resource in stopped) await commands.ExecuteCommandAsync(resource, KnownResourceCommands.StartCommand, deadline.Token);
        return ended.Snapshot.ExitCode == 0
            ? CommandResults.Success("All data was reset.")
            : CommandResults.Failure($"'{reset.Name}' ended with exit code {ended.Snapshot.ExitCode}; its console log says why.");
    }

    /// <summary>Creates a client with a development token.</summary>
    static async Task<HttpClient> ClientAsync(IResourceBuilder<ProjectResource> api, string user, string role, CancellationToken cancellationToken)
    {
        var http = new HttpClient { BaseAddress = new Uri(await api.GetEndpoint("http").GetValueAsync(cancellationToken) ?? "") };
        using var answer = await http.PostAsJsonAsync("/api/auth/token", new { user, role }, cancellationToken);
        var token = await answer.EnsureSuccessStatusCode().Content.ReadFromJsonAsync<JsonElement>(cancellationToken);
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token.GetProperty("accessToken").GetString());
        return http;
    }
}
