using System.Text.Json.Nodes;
using Aspire.Hosting.Dcp;
using Aspire.Hosting.Servers;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting.Dashboard;

/// <summary>Runs Aspire's dashboard, unless it is disabled.</summary>
internal sealed class DashboardHost(
    DistributedApplicationOptions options,
    DcpClient dcp,
    EndpointAllocator ports,
    ResourceService resources,
    IConfiguration configuration,
    IHttpClientFactory clients,
    TimeProvider clock,
    ILogger<DistributedApplication> logger)
{
    const string Name = "aspire-dashboard";

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (options.DisableDashboard) return;

        var program = ServerPrograms.Dashboard;
        var token = configuration["ASPIRE_DASHBOARD_FRONTEND_BROWSERTOKEN"] ?? configuration["AppHost:BrowserToken"]!;
        var url = $"http://localhost:{PortOf(PageUrl)}";
        var telemetry = configuration["AppHost:OtlpEndpoint"] = $"http://localhost:{PortOf(configuration["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"])}";
        var environment = new Dictionary<string, string?>
        {
            ["ASPNETCORE_ENVIRONMENT"] = "Production",
            ["ASPNETCORE_URLS"] = url,
            ["ASPIRE_ALLOW_UNSECURED_TRANSPORT"] = "true",
            ["ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL"] = telemetry,
            ["ASPIRE_DASHBOARD_OTLP_HTTP_ENDPOINT_URL"] = $"http://localhost:{ports.FreePort()}",
            ["ASPIRE_RESOURCE_SERVICE_ENDPOINT_URL"] = await resources.StartAsync(cancellationToken),
            ["DASHBOARD__FRONTEND__AUTHMODE"] = "BrowserToken",
            ["DASHBOARD__FRONTEND__BROWSERTOKEN"] = token,
            ["DASHBOARD__OTLP__AUTHMODE"] = "ApiKey",
            ["DASHBOARD__OTLP__PRIMARYAPIKEY"] = configuration["AppHost:OtlpApiKey"],
            ["DASHBOARD__API__ENABLED"] = "true",
            ["DASHBOARD__API__AUTHMODE"] = "ApiKey",
            ["DASHBOARD__API__PRIMARYAPIKEY"] = configuration["AppHost:DashboardApiKey"],
            ["DASHBOARD__RESOURCESERVICECLIENT__AUTHMODE"] = "ApiKey",
            ["DASHBOARD__RESOURCESERVICECLIENT__APIKEY"] = configuration["AppHost:ResourceService:ApiKey"],
        };
        await dcp.CreateAsync(DcpClient.Executables, Name, new JsonObject
        {
            ["executionType"] = "Process",
            ["executablePath"] = program,
            ["workingDirectory"] = Path.GetDirectoryName(program),
            ["args"] = new JsonArray("dashboard"),
            ["env"] = new JsonArray([.. environment.Select(v => new JsonObject { ["name"] = v.Key, ["value"] = v.Value })]),
        });
        _ = AnnounceAsync(url, token, cancellationToken);
    }

    public Task StopAsync() => resources.StopAsync();

    /// <summary>Of dotnet run, else of the AppHost's own launch profile.</summary>
    string? PageUrl => configuration["ASPNETCORE_URLS"]?.Split(';').FirstOrDefault(u => u.StartsWith("http:", StringComparison.Ordinal))
        ?? LaunchProfile.Find(configuration["AppHost:Directory"]!, null, configuration)?.ApplicationUrls.FirstOrDefault(u => u.Scheme == "http")?.ToString();

    /// <summary>The port of a URL when it is free, so that it is the same in every run; else another one.</summary>
    int PortOf(string? url)
    {
        if (url is null || new Uri(url).Port is var wanted && !EndpointAllocator.IsFree(wanted))
        {
            var other = ports.FreePort();
            if (url is not null) logger.DashboardPortTaken(url, other);

            return other;
        }

        return wanted;
    }

    async Task AnnounceAsync(string url, string token, CancellationToken cancellationToken)
    {
        try
        {
            using var client = clients.CreateClient();
            for (var began = clock.GetTimestamp(); clock.GetElapsedTime(began) < TimeSpan.FromSeconds(60); await Task.Delay(TimeSpan.FromMilliseconds(100), clock, cancellationToken))
            {
                try
                {
                    using var answer = await client.GetAsync(new Uri(url), cancellationToken);
                    logger.Listening(url);
                    logger.Login(url, token);
                    return;
                }
                catch (HttpRequestException)
                {
                    var state = (string?)(await dcp.GetAsync(DcpClient.Executables, Name))?["status"]?["state"];
                    if (state is "Finished" or "FailedToStart")
                    {
                        logger.DashboardFailed($"its process is {state}.");
                        return;
                    }
                }
            }

            logger.DashboardFailed("it does not answer.");
        }
        catch (OperationCanceledException)
        {
            // The application ends.
        }
    }
}
