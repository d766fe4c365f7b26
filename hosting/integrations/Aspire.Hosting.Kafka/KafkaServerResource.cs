namespace Aspire.Hosting;

/// <summary>A Kafka broker.</summary>
/// <param name="name">The name of the resource.</param>
public class KafkaServerResource(string name) : ContainerResource(name), IResourceWithConnectionString, IResourceWithEnvironment
{
    /// <summary>The endpoint for clients on the host.</summary>
    public EndpointReference PrimaryEndpoint => field ??= new(this, "tcp", KnownNetworkIdentifiers.LocalhostNetwork);

    /// <summary>The endpoint for clients in other containers.</summary>
    public EndpointReference InternalEndpoint => field ??= new(this, "internal", KnownNetworkIdentifiers.DefaultAspireContainerNetwork);

    public EndpointReferenceExpression Host => PrimaryEndpoint.Property(EndpointProperty.Host);

    public EndpointReferenceExpression Port => PrimaryEndpoint.Property(EndpointProperty.Port);

    /// <summary>The bootstrap servers.</summary>
    public ReferenceExpression ConnectionStringExpression => ReferenceExpression.Create($"{PrimaryEndpoint.Property(EndpointProperty.HostAndPort)}");

    IEnumerable<KeyValuePair<string, ReferenceExpression>> IResourceWithConnectionString.GetConnectionProperties() =>
        [new("Host", ReferenceExpression.Create($"{Host}")), new("Port", ReferenceExpression.Create($"{Port}"))];
}
