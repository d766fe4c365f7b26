using Microsoft.Extensions.Configuration;

namespace Microsoft.Extensions.ServiceDiscovery;

/// <summary>
/// Addresses of services, read from <c>services:NAME:ENDPOINT</c> (one address) or <c>services:NAME:ENDPOINT:n</c> (several, used in
/// turn). ENDPOINT is a scheme, or the name in a host of the form <c>_ENDPOINT.NAME</c>. A scheme like <c>https+http</c> means the
/// first of them that has an address. A host that is not in the configuration is left as it is.
/// </summary>
internal sealed class ServiceEndpoints(IConfiguration configuration)
{
    private uint _turn;

    public Uri Resolve(Uri named)
    {
        var schemes = named.Scheme.Split('+');
        var service = named.Host;
        string? endpoint = null;
        if (service.StartsWith('_') && service.IndexOf('.', StringComparison.Ordinal) is > 0 and var dot)
            (endpoint, service) = (service[1..dot], service[(dot + 1)..]);

        foreach (var name in endpoint is null ? schemes : [endpoint])
            if (Pick(configuration.GetSection("services").GetSection(service).GetSection(name)) is { } address)
                return At(named, address, schemes[0]);
        return schemes.Length == 1 ? named : new UriBuilder(named) { Scheme = schemes[0], Port = named.Port }.Uri;
    }

    private string? Pick(IConfigurationSection section)
    {
        if (section.Value is { Length: > 0 } only)
            return only;
        string[] addresses = [.. section.GetChildren().Select(child => child.Value).OfType<string>()];
        return addresses.Length == 0 ? null : addresses[Interlocked.Increment(ref _turn) % addresses.Length];
    }

    private static Uri At(Uri named, string address, string scheme)
    {
        var target = new Uri(address.Contains("://", StringComparison.Ordinal) ? address : $"{scheme}://{address}");
        return new UriBuilder(named) { Scheme = target.Scheme, Host = target.Host, Port = target.Port }.Uri;
    }
}
