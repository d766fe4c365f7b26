using System.Globalization;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>An endpoint of a resource, perhaps not allocated yet.</summary>
public sealed class EndpointReference(IResourceWithEndpoints owner, string endpointName) : IExpressionValue, IValueWithReferences
{
    EndpointAnnotation? Annotation => Resource.Annotations.OfType<EndpointAnnotation>()
        .SingleOrDefault(a => string.Equals(a.Name, EndpointName, StringComparison.OrdinalIgnoreCase));

    public IResourceWithEndpoints Resource { get; } = owner;
    public string EndpointName { get; } = endpointName;

    public EndpointAnnotation EndpointAnnotation => Annotation ?? throw new InvalidOperationException(
        $"The endpoint `{EndpointName}` is not defined for the resource `{Resource.Name}`. Available endpoints: {string.Join(", ", Resource.Annotations.OfType<EndpointAnnotation>().Select(a => $"`{a.Name}`"))}.");

    public bool Exists => Annotation is not null;

    public bool IsAllocated => Annotation?.AllocatedEndpoint is not null;

    public bool IsHttp => Scheme == "http";

    public bool IsHttps => Scheme == "https";

    public string Scheme => EndpointAnnotation.UriScheme;

    public string Host => Allocated.Address;

    public int Port => Allocated.Port;

    public int? TargetPort => EndpointAnnotation.TargetPort;

    public string Url => Allocated.UriString;

    string IManifestExpressionProvider.ValueExpression => Property(EndpointProperty.Url).ValueExpression;

    IEnumerable<object> IValueWithReferences.References => [Resource];

    AllocatedEndpoint Allocated => EndpointAnnotation.AllocatedEndpoint
        ?? throw new InvalidOperationException($"The endpoint `{EndpointName}` is not allocated for the resource `{Resource.Name}`.");

    public EndpointReferenceExpression Property(EndpointProperty property) => new(this, property);

    public ValueTask<string?> GetValueAsync(CancellationToken cancellationToken = default) =>
        Property(EndpointProperty.Url).GetValueAsync(cancellationToken);
}

public class EndpointReferenceExpression(EndpointReference endpointReference, EndpointProperty property) : IExpressionValue, IValueWithReferences
{
    public EndpointReference Endpoint { get; } = endpointReference;
    public EndpointProperty Property { get; } = property;

    public string ValueExpression => Property switch
    {
        EndpointProperty.HostAndPort => $"{Binding("host")}:{Binding("port")}",
        EndpointProperty.IPV4Host => Binding("host"),
        _ => Binding(char.ToLowerInvariant(Property.ToString()[0]) + Property.ToString()[1..]),
    };

    IEnumerable<object> IValueWithReferences.References => [Endpoint];

    public async ValueTask<string?> GetValueAsync(CancellationToken cancellationToken = default)
    {
        if (Property is EndpointProperty.Scheme or EndpointProperty.TlsEnabled)
            return Property == EndpointProperty.Scheme ? Endpoint.Scheme : Endpoint.IsHttps.ToString();

        var allocated = await Endpoint.EndpointAnnotation.AllocatedTask.WaitAsync(cancellationToken);
        return Property switch
        {
            EndpointProperty.Url => allocated.UriString,
            EndpointProperty.Host => allocated.Address,
            EndpointProperty.IPV4Host => "127.0.0.1",
            EndpointProperty.Port => allocated.Port.ToString(CultureInfo.InvariantCulture),
            EndpointProperty.HostAndPort => allocated.EndPointString,
            EndpointProperty.TargetPort => allocated.TargetPortExpression,
            _ => throw new InvalidOperationException(
                $"The property '{Property}' is not supported for the endpoint '{Endpoint.EndpointName}'."),
        };
    }

    string Binding(string part) => $"{{{Endpoint.Resource.Name}.bindings.{Endpoint.EndpointName}.{part}}}";
}

public enum EndpointProperty
{
    Url,
    Host,
    IPV4Host,
    Port,
    Scheme,
    TargetPort,
    HostAndPort,
    TlsEnabled,
}
