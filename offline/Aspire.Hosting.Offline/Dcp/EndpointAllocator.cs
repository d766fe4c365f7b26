using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;

namespace Aspire.Hosting.Dcp;

/// <summary>Gives every endpoint its address: a proxy of the engine, or a port of its own.</summary>
internal sealed class EndpointAllocator(DcpClient dcp, IConfiguration configuration)
{
    // Below the range from which the kernel takes ports for outgoing connections: what is free stays free until it is listened on.
    const int FirstPort = 15_000;
    const int LastPort = 32_000;
    readonly HashSet<int> _given = [];
    readonly bool _randomize = configuration.GetValue("DcpPublisher:RandomizePorts", false);

    /// <summary>The name of an endpoint's proxy in the engine.</summary>
    public static string ServiceName(IResource resource, EndpointAnnotation endpoint) =>
        $"{resource.Name}-{endpoint.Name}".ToLowerInvariant();

    /// <summary>A port that nobody listens on.</summary>
    public int FreePort()
    {
        lock (_given)
        {
            for (var tries = 0; tries < 1000; tries++)
            {
                var port = Random.Shared.Next(FirstPort, LastPort);
                if (IsFree(port) && _given.Add(port)) return port;
            }
        }

        throw new DistributedApplicationException($"There is no free port between {FirstPort} and {LastPort}.");
    }

    public static bool IsFree(int port)
    {
        try
        {
            foreach (var address in (IPAddress[])[IPAddress.Loopback, IPAddress.IPv6Loopback])
            {
                using var probe = new TcpListener(address, port);
                probe.Start();
            }

            return true;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            return false;
        }
        catch (SocketException)
        {
            // No IPv6 on this machine, or a privileged port: nobody listens there.
            return true;
        }
    }

    /// <summary>An endpoint whose port is taken is not allocated: whoever needs it gets the error.</summary>
    public async Task AllocateAsync(IEnumerable<IResourceWithEndpoints> resources, CancellationToken cancellationToken)
    {
        var proxied = new Dictionary<string, EndpointAnnotation>();
        foreach (var resource in resources)
        {
            foreach (var endpoint in resource.Annotations.OfType<EndpointAnnotation>())
            {
                var wanted = _randomize ? null : endpoint.IsProxied ? endpoint.Port : endpoint.Port ?? endpoint.TargetPort;
                if (wanted is { } port && !(IsFree(port) && _given.Add(port)))
                {
                    endpoint.FailAllocation(
                        $"Port {port} of endpoint '{endpoint.Name}' of '{resource.Name}' is in use by another program or wanted by another endpoint.");
                }
                else if (!endpoint.IsProxied) AllocateOwn(resource, endpoint, wanted ?? FreePort());
                else
                {
                    var name = ServiceName(resource, endpoint);
                    var spec = new JsonObject { ["protocol"] = "TCP", ["addressAllocationMode"] = "Localhost" };
                    if (wanted is not null) spec["port"] = wanted;

                    proxied[name] = endpoint;
                    await dcp.CreateAsync(DcpClient.Services, name, spec);
                }
            }
        }

        if (proxied.Count > 0) await WaitForProxiesAsync(proxied, cancellationToken);
    }

    static void AllocateOwn(IResource resource, EndpointAnnotation endpoint, int port)
    {
        if (resource.GetReplicaCount() > 1)
        {
            endpoint.FailAllocation($"Resource '{resource.Name}' uses multiple replicas and a proxy-less endpoint '{endpoint.Name}'. These features do not work together.");
            return;
        }

        endpoint.TargetPort = port;
        endpoint.AllocatedEndpoint = new(endpoint, endpoint.TargetHost, port, port.ToString(CultureInfo.InvariantCulture));
    }

    async Task WaitForProxiesAsync(Dictionary<string, EndpointAnnotation> waiting, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(60));
        try
        {
            await WaitForProxiesCoreAsync(waiting, limit.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            foreach (var (name, endpoint) in waiting) endpoint.FailAllocation($"The engine made no proxy '{name}'.");
        }
    }

    async Task WaitForProxiesCoreAsync(Dictionary<string, EndpointAnnotation> waiting, CancellationToken cancellationToken)
    {
        await foreach (var service in dcp.WatchAsync(DcpClient.Services, cancellationToken))
        {
            var name = (string)service["metadata"]!["name"]!;
            if ((int?)service["status"]?["effectivePort"] is > 0 and var port && waiting.Remove(name, out var endpoint))
            {
                var target = endpoint.TargetPort?.ToString(CultureInfo.InvariantCulture) ?? $"{{{{- portForServing \"{name}\" -}}}}";
                endpoint.AllocatedEndpoint = new(endpoint, endpoint.TargetHost, port, target);
                if (waiting.Count == 0) return;
            }
        }
    }
}
