using System.Globalization;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting.Health;

/// <summary>Healthy when a GET is answered with the expected status.</summary>
internal sealed class HttpHealthCheck(EndpointReference endpoint, string path, int expected) : IHealthCheck
{
    // A connection for each request: a kept one would ask the same replica for ever. The limit is for the engine's proxy, which
    // accepts connections before the program listens.
    static readonly HttpClient Http = new(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.Zero, UseProxy = false, AllowAutoRedirect = false })
    {
        Timeout = TimeSpan.FromSeconds(3),
    };

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            using var answer = await Http.GetAsync(new Uri(new Uri(endpoint.Url), path), HttpCompletionOption.ResponseHeadersRead,
                cancellationToken);
            return (int)answer.StatusCode == expected ? HealthCheckResult.Healthy()
                : HealthCheckResult.Unhealthy(string.Create(CultureInfo.InvariantCulture, $"{path} answered {(int)answer.StatusCode}, expected {expected}."));
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return HealthCheckResult.Unhealthy($"{path} did not answer: {e.Message}");
        }
    }
}
