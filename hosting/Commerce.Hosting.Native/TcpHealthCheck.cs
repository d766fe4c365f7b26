using System.Net.Sockets;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Commerce.Hosting.Native;

/// <summary>
/// Connects and exchanges data. A server that accepts connections and stays silent is as unhealthy as one that refuses them.
/// </summary>
/// <param name="endpoint">The endpoint of the server.</param>
/// <param name="talkAsync">Returns null if the server is healthy, otherwise its message.</param>
sealed class TcpHealthCheck(EndpointReference endpoint, Func<NetworkStream, CancellationToken, Task<string?>> talkAsync) : IHealthCheck
{
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(3);

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Deadline);
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(endpoint.Host, endpoint.Port, limit.Token);
            return await talkAsync(client.GetStream(), limit.Token) is { } refusal ? HealthCheckResult.Unhealthy(refusal) : HealthCheckResult.Healthy();
        }
        catch (Exception e) when (e is SocketException or IOException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return HealthCheckResult.Unhealthy(e.Message);
        }
    }
}
