using System.Net.Sockets;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Health;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting;

public static partial class ResourceBuilderExtensions
{
    /// <param name="builder">The resource.</param>
    /// <param name="port">What clients use; chosen when null.</param>
    /// <param name="targetPort">What the program listens on; chosen when null.</param>
    /// <param name="scheme">tcp when null.</param>
    /// <param name="name">The scheme when null.</param>
    /// <param name="env">A variable that tells the program its port.</param>
    /// <param name="isProxied">Whether a proxy listens on <paramref name="port"/>; yes when null.</param>
    /// <param name="isExternal">No meaning at run time.</param>
    /// <param name="protocol">TCP when null; UDP is not supported.</param>
    public static IResourceBuilder<T> WithEndpoint<T>(
        this IResourceBuilder<T> builder,
        int? port = null,
        int? targetPort = null,
        string? scheme = null,
        string? name = null,
        string? env = null,
        bool? isProxied = null,
        bool? isExternal = null,
        ProtocolType? protocol = null) where T : IResourceWithEndpoints
    {
        if (protocol is ProtocolType.Udp)
            throw new NotSupportedException($"The offline mode has no UDP endpoints ('{builder.Resource.Name}').");

        var endpoint = new EndpointAnnotation(ProtocolType.Tcp, scheme, null, name, port, targetPort, isExternal, isProxied);
        if (builder.Resource.GetEndpoint(endpoint.Name).Exists)
            throw new DistributedApplicationException(
                $"Endpoint with name '{endpoint.Name}' already exists on resource '{builder.Resource.Name}'.");

        if (env is not null && builder.Resource is IResourceWithEnvironment)
        {
            var reference = builder.Resource.GetEndpoint(endpoint.Name);
            builder.WithAnnotation(new EnvironmentCallbackAnnotation(context =>
            {
                context.EnvironmentVariables[env] = reference.Property(EndpointProperty.TargetPort);
                return Task.CompletedTask;
            }));
        }

        return builder.WithAnnotation(endpoint);
    }

    /// <summary>Changes an endpoint, perhaps after making it.</summary>
    public static IResourceBuilder<T> WithEndpoint<T>(
        this IResourceBuilder<T> builder, string endpointName, Action<EndpointAnnotation> callback, bool createIfNotExists = true)
        where T : IResourceWithEndpoints
    {
        var reference = builder.Resource.GetEndpoint(endpointName);
        if (!reference.Exists && createIfNotExists) builder.WithAnnotation(new EndpointAnnotation(ProtocolType.Tcp, name: endpointName));

        if (reference.Exists) callback(reference.EndpointAnnotation);

        return builder;
    }

    public static IResourceBuilder<T> WithHttpEndpoint<T>(
        this IResourceBuilder<T> builder, int? port = null, int? targetPort = null, string? name = null, string? env = null, bool? isProxied = null)
        where T : IResourceWithEndpoints => builder.WithEndpoint(port, targetPort, "http", name, env, isProxied);

    /// <summary>Where clients outside are meant. No meaning at run time.</summary>
    public static IResourceBuilder<T> WithExternalHttpEndpoints<T>(this IResourceBuilder<T> builder) where T : IResourceWithEndpoints
    {
        foreach (var endpoint in builder.Resource.Annotations.OfType<EndpointAnnotation>().Where(e => e.UriScheme is "http" or "https"))
            endpoint.IsExternal = true;

        return builder;
    }

    public static EndpointReference GetEndpoint<T>(this IResourceBuilder<T> builder, string name) where T : IResourceWithEndpoints =>
        builder.Resource.GetEndpoint(name);

    /// <summary>Healthy when a GET is answered with that status.</summary>
    /// <param name="builder">The resource.</param>
    /// <param name="path">/ when null.</param>
    /// <param name="statusCode">200 when null.</param>
    /// <param name="endpointName">The first HTTP endpoint when null.</param>
    public static IResourceBuilder<T> WithHttpHealthCheck<T>(
        this IResourceBuilder<T> builder, string? path = null, int? statusCode = null, string? endpointName = null)
        where T : IResourceWithEndpoints
    {
        var endpoint = endpointName is not null ? builder.GetEndpoint(endpointName)
            : builder.Resource.GetEndpoints().FirstOrDefault(e => e.IsHttp || e.IsHttps)
                ?? throw new DistributedApplicationException(
                    $"Could not create HTTP health check for resource '{builder.Resource.Name}' as it has no HTTP endpoint.");
        var key = $"{builder.Resource.Name}_{endpoint.EndpointName}_{path ?? "/"}_{statusCode ?? 200}_check";
        builder.ApplicationBuilder.Services.AddHealthChecks()
            .Add(new HealthCheckRegistration(key, _ => new HttpHealthCheck(endpoint, path ?? "/", statusCode ?? 200), null, null));
        return builder.WithHealthCheck(key);
    }

    public static IResourceBuilder<T> WithUrl<T>(this IResourceBuilder<T> builder, string url, string? displayText = null)
        where T : IResource =>
        builder.WithUrls(context => context.Urls.Add(new ResourceUrlAnnotation { Url = url, DisplayText = displayText }));

    public static IResourceBuilder<T> WithUrl<T>(
        this IResourceBuilder<T> builder, in ReferenceExpression.ExpressionInterpolatedStringHandler url, string? displayText = null)
        where T : IResource => builder.WithUrl(ReferenceExpression.Create(url), displayText);

    public static IResourceBuilder<T> WithUrl<T>(this IResourceBuilder<T> builder, ReferenceExpression url, string? displayText = null)
        where T : IResource => builder.WithUrls(async context => context.Urls.Add(new ResourceUrlAnnotation
        {
            Url = await url.GetValueAsync(context.CancellationToken) ?? "", DisplayText = displayText,
        }));

    public static IResourceBuilder<T> WithUrls<T>(this IResourceBuilder<T> builder, Action<ResourceUrlsCallbackContext> callback)
        where T : IResource => builder.WithUrls(context =>
        {
            callback(context);
            return Task.CompletedTask;
        });

    /// <summary>Called with the URLs of the endpoints, when these are allocated.</summary>
    public static IResourceBuilder<T> WithUrls<T>(this IResourceBuilder<T> builder, Func<ResourceUrlsCallbackContext, Task> callback)
        where T : IResource => builder.WithAnnotation(new ResourceUrlsCallbackAnnotation(callback));

    /// <summary>Changes the URL of one endpoint.</summary>
    public static IResourceBuilder<T> WithUrlForEndpoint<T>(
        this IResourceBuilder<T> builder, string endpointName, Action<ResourceUrlAnnotation> callback) where T : IResource =>
        builder.WithUrls(context => context.Urls.Where(u => u.Endpoint?.EndpointName == endpointName).ToList().ForEach(callback));

    /// <summary>Adds a URL to one endpoint.</summary>
    public static IResourceBuilder<T> WithUrlForEndpoint<T>(
        this IResourceBuilder<T> builder, string endpointName, Func<EndpointReference, ResourceUrlAnnotation> callback)
        where T : IResourceWithEndpoints => builder.WithUrls(context =>
        {
            if (context.GetEndpoint(endpointName) is { Exists: true } endpoint)
            {
                var url = callback(endpoint);
                context.Urls.Add(new ResourceUrlAnnotation
                {
                    Url = url.Url, DisplayText = url.DisplayText, DisplayLocation = url.DisplayLocation, Endpoint = endpoint,
                });
            }
        });
}
