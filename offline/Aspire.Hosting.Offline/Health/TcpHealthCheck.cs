using System.Net.Sockets;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting.Health;

/// <summary>Healthy when a server answers in its own protocol.</summary>
/// <param name="endpoint">Where it is.</param>
/// <param name="exchange">Asks and reads; returns what is wrong, or null.</param>
internal sealed class TcpHealthCheck(EndpointReference endpoint, Func<NetworkStream, CancellationToken, Task<string?>> exchange) : IHealthCheck
{
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(3));
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(endpoint.Host, endpoint.Port, limit.Token);
            return await exchange(client.GetStream(), limit.Token) is { } problem ? HealthCheckResult.Unhealthy(problem)
                : HealthCheckResult.Healthy();
        }
        catch (Exception e) when (e is SocketException or IOException or OperationCanceledException
            && !cancellationToken.IsCancellationRequested)
        {
            return HealthCheckResult.Unhealthy($"{endpoint.Host}:{endpoint.Port} does not answer: {e.Message}");
        }
    }
}
