using System.Net.Sockets;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>A port that a resource serves. What clients use is known once it is allocated, before anything starts.</summary>
public sealed class EndpointAnnotation : IResourceAnnotation
{
    readonly TaskCompletionSource<AllocatedEndpoint> _allocated = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public EndpointAnnotation(
        ProtocolType protocol,
        string? uriScheme = null,
        string? transport = null,
        string? name = null,
        int? port = null,
        int? targetPort = null,
        bool? isExternal = null,
        bool? isProxied = null)
    {
        Protocol = protocol;
        UriScheme = uriScheme ?? (protocol == ProtocolType.Udp ? "udp" : "tcp");
        Transport = transport ?? (UriScheme is "http" or "https" ? "http" : UriScheme);
        Name = name ?? UriScheme;
        Port = port;
        TargetPort = targetPort;
        IsExternal = isExternal ?? false;
        IsProxied = isProxied ?? true;
    }

    public string Name { get; set; }
    public ProtocolType Protocol { get; set; }
    /// <summary>The port that clients use; chosen when it is null.</summary>
    public int? Port { get; set; }
    /// <summary>The port that the program listens on; chosen when it is null.</summary>
    public int? TargetPort { get; set; }
    public string UriScheme { get; set; }
    public string TargetHost { get; set; } = "localhost";
    public string Transport { get; set; }
    public bool IsExternal { get; set; }
    /// <summary>Whether a TCP proxy listens on <see cref="Port"/>; replicas need it.</summary>
    public bool IsProxied { get; set; }

    public AllocatedEndpoint? AllocatedEndpoint
    {
        get => _allocated.Task.IsCompletedSuccessfully ? _allocated.Task.GetAwaiter().GetResult() : null;
        set => _allocated.TrySetResult(value ?? throw new ArgumentNullException(nameof(value)));
    }

    internal bool FromLaunchProfile { get; set; }

    internal Task<AllocatedEndpoint> AllocatedTask => _allocated.Task;

    /// <summary>Whoever needs the address gets this error instead.</summary>
    internal void FailAllocation(string reason) => _allocated.TrySetException(new DistributedApplicationException(reason));
}

/// <summary>The address at which clients reach an endpoint.</summary>
public class AllocatedEndpoint(EndpointAnnotation endpoint, string address, int port, string? targetPortExpression = null)
{
    public EndpointAnnotation Endpoint { get; } = endpoint;
    public string Address { get; } = address;
    public int Port { get; } = port;

    public string UriScheme => Endpoint.UriScheme;

    public string EndPointString => $"{Address}:{Port}";

    public string UriString => $"{UriScheme}://{EndPointString}";

    /// <summary>The program's own port: a number, or what the engine replaces by one.</summary>
    public string? TargetPortExpression { get; } = targetPortExpression;

    public override string ToString() => UriString;
}
