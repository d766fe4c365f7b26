using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;

namespace Aspire.Hosting.Testing;

public static class DistributedApplicationHostingTestingExtensions
{
    /// <param name="app">Started.</param>
    /// <param name="resourceName">What the client talks to.</param>
    /// <param name="endpointName">The first HTTP endpoint when null.</param>
    public static HttpClient CreateHttpClient(this DistributedApplication app, string resourceName, string? endpointName = default)
    {
        var client = app.Services.GetRequiredService<IHttpClientFactory>().CreateClient();
        client.BaseAddress = app.GetEndpoint(resourceName, endpointName);
        return client;
    }

    /// <exception cref="ArgumentException">There is no such resource, or it has no connection string.</exception>
    public static ValueTask<string?> GetConnectionStringAsync(
        this DistributedApplication app, string resourceName, CancellationToken cancellationToken = default) =>
        app.Find(resourceName) is IResourceWithConnectionString resource ? resource.GetConnectionStringAsync(cancellationToken)
            : throw new ArgumentException($"Resource '{resourceName}' does not expose a connection string.", nameof(resourceName));

    /// <exception cref="ArgumentException">There is no such resource or endpoint.</exception>
    public static Uri GetEndpoint(this DistributedApplication app, string resourceName, string? endpointName = default)
    {
        var endpoints = (app.Find(resourceName) as IResourceWithEndpoints)?.GetEndpoints() ?? [];
        var endpoint = endpointName is null ? endpoints.FirstOrDefault(e => e.IsHttps) ?? endpoints.FirstOrDefault(e => e.IsHttp)
            : endpoints.FirstOrDefault(e => string.Equals(e.EndpointName, endpointName, StringComparison.OrdinalIgnoreCase));
        return endpoint is null
            ? throw new ArgumentException($"Endpoint '{endpointName}' for resource '{resourceName}' not found.", nameof(endpointName))
                : new Uri(endpoint.Url);
    }

    static IResource Find(this DistributedApplication app, string name) =>
        app.Services.GetRequiredService<DistributedApplicationModel>().Resources.TryGetByName(name, out var resource) ? resource
            : throw new ArgumentException($"Resource '{name}' not found.", nameof(name));
}
