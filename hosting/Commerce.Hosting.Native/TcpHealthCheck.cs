using System.Diagnostics;
using System.Net.Sockets;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Commerce.Hosting.Native;

/// <summary>
/// Connects and exchanges data. A server that accepts connections and stays silent is as unhealthy as one that refuses them. A refused
/// connection is tried again for two seconds, because Aspire waits longer after each unhealthy answer (1, 2, 3, 4, then 5 s): a server
/// that starts becomes healthy when it is ready, and not seconds later.
/// </summary>
/// <param name="endpoint">The endpoint of the server.</param>
/// <param name="talkAsync">Returns null if the server is healthy, otherwise its message.</param>
sealed class TcpHealthCheck(EndpointReference endpoint, Func<NetworkStream, CancellationToken, Task<string?>> talkAsync) : IHealthCheck
{
    static readonly TimeSpan Deadline = TimeSpan.FromSeconds(3);
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Deadline);
        try
        {
            using var client = await ConnectAsync(limit.Token);
            return await talkAsync(client.GetStream(), limit.Token) is { } refusal ? HealthCheckResult.Unhealthy(refusal) : HealthCheckResult.Healthy();
        }
        catch (Exception e) when (e is SocketException or IOException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return HealthCheckResult.Unhealthy(e.Message);
        }
    }

    async Task<TcpClient> ConnectAsync(CancellationToken cancellationToken)
    {
        for (var began = Stopwatch.GetTimestamp(); ;)
        {
            var client = new TcpClient();
            try
            {
                await client.ConnectAsync(endpoint.Host, endpoint.Port, cancellationToken);
                return client;
            }
            catch (Exception e)
            {
                client.Dispose();
                if (e is not SocketException { SocketErrorCode: SocketError.ConnectionRefused } || Stopwatch.GetElapsedTime(began) >= Patience) throw;
            }

            await Task.Delay(Pause, cancellationToken);
        }
    }
}
