using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;

namespace Aspire.Hosting.ApplicationModel;

public static partial class ResourceExtensions
{
    public static bool TryGetLastAnnotation<T>(this IResource resource, [NotNullWhen(true)] out T? annotation)
        where T : IResourceAnnotation =>
        (annotation = resource.Annotations.OfType<T>().LastOrDefault()) is not null;

    public static bool TryGetAnnotationsOfType<T>(this IResource resource, [NotNullWhen(true)] out IEnumerable<T>? result)
        where T : IResourceAnnotation =>
        (result = resource.Annotations.OfType<T>().ToArray() is { Length: > 0 } found ? found : null) is not null;

    public static bool HasAnnotationOfType<T>(this IResource resource)
        where T : IResourceAnnotation => resource.Annotations.OfType<T>().Any();

    public static int GetReplicaCount(this IResource resource) =>
        resource.TryGetLastAnnotation<ReplicaAnnotation>(out var replicas) ? replicas.Replicas : 1;

    public static EndpointReference GetEndpoint(this IResourceWithEndpoints resource, string endpointName) => new(resource, endpointName);

    public static IEnumerable<EndpointReference> GetEndpoints(this IResourceWithEndpoints resource) =>
        resource.Annotations.OfType<EndpointAnnotation>().Select(e => new EndpointReference(resource, e.Name)).ToArray();

    /// <summary>The ids of the instances; the resource's name where it has no processes.</summary>
    internal static string[] GetInstanceIds(this IResource resource) =>
        resource.TryGetLastAnnotation<InstanceIdsAnnotation>(out var instances) ? instances.Ids : [resource.Name];

    /// <summary>The resource itself, what it belongs to, and so on.</summary>
    internal static IEnumerable<IResource> SelfAndParents(this IResource resource)
    {
        for (var at = resource; at is not null; at = (at as IResourceWithParent)?.Parent)
            yield return at;
    }

    /// <summary>Health checks of the resource and of what it belongs to.</summary>
    internal static string[] GetHealthCheckKeys(this IResource resource) =>
        [.. resource.SelfAndParents().SelectMany(r => r.Annotations.OfType<HealthCheckAnnotation>()).Select(a => a.Key).Distinct()];

    /// <summary>A resource or endpoint name as a part of the name of a variable: my-db gives MY_DB.</summary>
    internal static string ToVariableName(this string name) =>
        (char.IsAsciiDigit(name.FirstOrDefault()) ? "_" : "") + NotInVariableName().Replace(name, "_").ToUpperInvariant();

    [GeneratedRegex("[^A-Za-z0-9_]")]
    private static partial Regex NotInVariableName();
}

/// <summary>The ids of the processes of a resource, for the time of one run.</summary>
internal sealed class InstanceIdsAnnotation(string[] ids) : IResourceAnnotation
{
    public string[] Ids { get; } = ids;
}
